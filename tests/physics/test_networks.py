"""Links between pseudo-spins against brute force; N2 against theory, shared spins and all."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest

from delocal.physics import counting
from delocal.physics.disorder import Ensemble, sample_active_spins, separation, stream
from delocal.physics.networks import (
    AS_PRINTED,
    CUT,
    TAIL,
    Interaction,
    distance,
    four_spin_coupling,
    network,
    shared_spin_partners,
)
from delocal.physics.percolation import clusters
from delocal.physics.pseudospins import sample_dilute, sample_pseudospins
from delocal.physics.splittings import resonant_pseudospins, size_where
from tests.physics.measured import measure_partners

POINTS = [(1, 1.5, 1.5), (2, 3, 2.5), (3, 3, 3)]
FOUR = Interaction("four-spin", key=3)


def from_active_spins(p, R1, box, rng):
    return sample_pseudospins(sample_active_spins(p, box, rng), p, R1)


def with_siblings(p, R1, box, rng):
    return sample_dilute(p, R1, box, rng, siblings=True)


def some_pseudospins(point, number=250):
    """Return a few with N2 ~ 1, of which some share spins."""
    p = Ensemble(*point, T=10, W=20)
    R1 = size_where(p, 1.0)
    density = float(counting.pseudospin_density(p, R1))
    box = max((number / density) ** (1 / p.d), 4 * R1)
    return p, R1, with_siblings(p, R1, box, stream(str(point), 0))


def brute(pseudospins, coupling):
    """Return all a < b whose splittings are closer than coupling(a, b)."""
    n = len(pseudospins)
    E = pseudospins.splitting
    return [(a, b) for a in range(n) for b in range(a + 1, n) if abs(E[a] - E[b]) < coupling(a, b)]


def r_between(pseudospins, a, b):
    apart = separation(pseudospins.midpoint[a], pseudospins.midpoint[b], pseudospins.box)
    return np.sqrt((apart**2).sum())


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_links_agree_with_brute_force(point):
    p, R1, some = some_pseudospins(point)
    star = p.interaction_radius(R1)

    def tail(a, b):
        r = r_between(some, a, b)
        return p.V / r**p.beta if r < some.box / 2 else 0.0

    def cut(a, b):
        return tail(a, b) if r_between(some, a, b) < star else 0.0

    def flat(a, b):
        return p.t / R1**p.alpha if r_between(some, a, b) < star else 0.0

    for interaction, coupling in [(TAIL, tail), (CUT, cut), (AS_PRINTED, flat)]:
        links = network(some, p, R1, interaction)
        assert list(zip(links.a, links.b, strict=True)) == brute(some, coupling)
        np.testing.assert_allclose(
            links.u, [coupling(a, b) for a, b in zip(links.a, links.b, strict=True)]
        )
    assert len(network(some, p, R1, TAIL)) > 50


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_four_spin_links_agree_with_brute_force(point):
    p, R1, some = some_pseudospins(point, number=150)
    ends = some.midpoint[:, None] + some.axis[:, None] * np.array([-0.5, 0.5])[:, None]

    def coupling(a, b):
        """Bound from below and above by the signs, which only the code knows."""
        if r_between(some, a, b) >= some.box / 2:
            return 0.0
        terms = []
        for i in range(2):
            for j in range(2):
                if some.spins[a, i] != some.spins[b, j]:
                    apart = separation(ends[a, i], ends[b, j], some.box)
                    terms.append((apart**2).sum() ** (-p.beta / 2))
        return p.V / 4 * some.transverse[a] * some.transverse[b] * np.array(terms)

    links = network(some, p, R1, FOUR)
    found = {(int(a), int(b)): u for a, b, u in zip(links.a, links.b, links.u, strict=True)}
    for (a, b), u in found.items():
        terms = coupling(a, b)
        signs = np.array(np.meshgrid(*[[-1, 1]] * len(terms))).reshape(len(terms), -1)
        assert np.abs(np.abs(terms @ signs) - u).min() < 1e-9 * u
    possible = brute(some, lambda a, b: np.sum(coupling(a, b)))
    assert set(found) < set(possible)
    assert len(found) > 10


def test_signs_of_the_coupling_are_fair_and_belong_to_the_pair():
    p, R1, some = some_pseudospins((2, 3, 2.5), number=2000)
    one, same, other = (network(some, p, R1, Interaction("four-spin", key=k)) for k in (1, 1, 2))
    assert one.u.tobytes() == same.u.tobytes()
    assert len(one) != len(other)
    counts = [len(network(some, p, R1, Interaction("four-spin", key=k))) for k in range(8)]
    assert np.std(counts) < 0.1 * np.mean(counts)


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_far_away_four_spins_couple_half_as_strongly(point):
    """The variance of four random signs over 4: u**2 -> (V sin sin / r**beta)**2 / 4."""
    p, _, some = some_pseudospins(point, number=600)
    some = replace(some, axis=some.axis * 1e-6)
    a, b = np.triu_indices(len(some), 1)
    own = (some.spins[a][:, :, None] == some.spins[b][:, None]).any(axis=(1, 2))
    a, b = a[~own], b[~own]
    u = four_spin_coupling(some, p, a, b, key=9)
    unit = p.V * distance(some, a, b) ** -p.beta * some.transverse[a] * some.transverse[b]
    assert np.mean((u / unit) ** 2) == pytest.approx(0.25, rel=0.02)


@pytest.mark.parametrize("point", [(1, 1.5, 1.5), (2, 3, 3), (2, 2.5, 2.5), (3, 3, 3)], ids=str)
@pytest.mark.parametrize("interaction", [TAIL, CUT, AS_PRINTED], ids=["tail", "cut", "flat"])
def test_dilute_partners_agree_with_the_exact_law(point, interaction):
    p = Ensemble(*point, T=1e-2, W=100 if point[0] == 3 else 20)
    R1 = size_where(p, 1.0)
    star = p.interaction_radius(R1)
    edges = star * 2.0 ** np.arange(-3, 3)
    box = star * {1: 1024, 2: 40, 3: 16}[p.d]
    streams = [stream(f"N2 {point}", n) for n in range(10)]
    measured = measure_partners(p, R1, box, streams, edges=edges, interaction=interaction)
    given = {"cutoff": interaction.cutoff or np.inf, "flat": interaction.coupling == "flat"}
    for k, N2 in enumerate(measured):
        exact = resonant_pseudospins(p, R1, edges[k], edges[k + 1], **given)
        # Links are few in the inner shells: there their error is that of a Poisson number.
        few = np.sqrt(2 * exact / (10 * counting.pseudospin_density(p, R1) * box**p.d))
        assert abs(N2.value - exact) <= 4 * max(N2.stderr, few) + 1e-12
        assert N2.stderr <= 3 * few


def agreement(p, R1, size, boxes, tolerance):
    """Assert what shared spins do to N2 between R2* and 2 R2*, within 3 sigma."""
    star = p.interaction_radius(R1)
    edges = star * np.array([1.0, 2.0])
    shared, error = shared_spin_partners(p, R1, edges, stream("shared", 0), samples=4_000_000)
    exact = resonant_pseudospins(p, R1, star)
    measured = {}
    for sampler in (from_active_spins, with_siblings, sample_dilute):
        streams = [stream(f"shared {sampler.__name__}", n) for n in range(boxes)]
        (N2,) = measure_partners(p, R1, size * star, streams, edges=edges, sampler=sampler)
        measured[sampler.__name__] = N2
    full, siblings, dilute = measured.values()
    assert full.stderr < tolerance * full.value
    assert abs(full.value - exact - shared[0]) < 3 * np.hypot(full.stderr, error[0])
    assert abs(siblings.value - full.value) < 3 * np.hypot(siblings.stderr, full.stderr)
    assert abs(dilute.value - exact) < 3 * dilute.stderr
    assert abs(dilute.value - full.value) > 5 * np.hypot(dilute.stderr, full.stderr)
    return shared[0] / exact, full


def test_shared_spins_add_to_the_partners_what_theory_says():
    p = Ensemble(3, 3, 3, T=50, W=100)
    correction, _ = agreement(p, size_where(p, 1.0), size=32, boxes=24, tolerance=0.02)
    assert correction == pytest.approx(0.098, abs=0.002)


@pytest.mark.slow
def test_shared_spins_add_to_the_partners_what_theory_says_within_a_percent():
    p = Ensemble(3, 3, 3, T=50, W=100)
    correction, full = agreement(p, size_where(p, 1.0), size=32, boxes=400, tolerance=0.005)
    assert correction == pytest.approx(0.098, abs=0.001)
    assert full.value == pytest.approx(1 + correction, rel=0.01)


@pytest.mark.parametrize("interaction", [TAIL, CUT, AS_PRINTED, FOUR], ids=str)
def test_the_same_key_gives_the_same_network(interaction):
    def digest(n):
        p, R1, some = some_pseudospins((2, 3, 2.5), number=300 + 50 * n)
        links = network(some, p, R1, interaction)
        found = clusters(some.midpoint, links.a, links.b, some.box)
        fields = (links.a, links.b, links.u, found.label, found.sizes, found.wraps)
        return hashlib.sha256(b"".join(field.tobytes() for field in fields)).hexdigest()

    forwards = [digest(n) for n in range(3)]
    assert [digest(n) for n in reversed(range(3))] == forwards[::-1]
    assert len(set(forwards)) == 3


def test_too_few_and_too_far_are_handled():
    p = Ensemble(2, 3, 3, T=1e-9, W=20)
    nobody = sample_dilute(p, 2.0, 20.0, stream("", 0))
    links = network(nobody, p, 2.0)
    assert len(links) == 0
    with pytest.raises(ValueError, match="half the box"):
        network(nobody, p, 2.0, Interaction(cutoff=10.0))
    with pytest.raises(ValueError, match="needs a cutoff"):
        Interaction("flat")
