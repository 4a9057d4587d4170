"""Exact numbers of resonances against references made apart, quadrature and direct sampling."""

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2

from delocal.physics import counting, scales
from delocal.physics.disorder import Ensemble, sample_active_spins, stream
from delocal.physics.parameters import spin_model
from delocal.physics.powers import LogArray
from delocal.physics.resonances import resonant_pairs
from delocal.physics.splittings import (
    Splittings,
    _Table,
    peak_resonant_pseudospins,
    resonant_pseudospins,
    size_where,
    splittings,
)

ROWS = json.loads((Path(__file__).parent / "data" / "scaling.json").read_text())["mc"]
HOPPINGS = ["fixed", "uniform", "gaussian"]
LAWS = [
    Splittings(2, 3.0, 1e-9),
    Splittings(1, 1.5, 0.2),
    Splittings(3, 3.0, 0.9),
    Splittings(2, 2.5, 1.7),  # saturated for s < 1.24
    Splittings(2, 2.5, 30.0),
]


def of_row(row):
    every = row["W"] / 2
    given = {name: row[name] for name in ("t", "V", "rho", "W") if name in row}
    beta = row.get("beta", row["alpha"])
    return Ensemble(row["d"], row["alpha"], beta, row.get("T") or every, **given)


@pytest.mark.parametrize("row", [r for r in ROWS if r["what"] == "N1 shell"])
def test_partners_agree_with_the_reference(row):
    p = of_row(row)
    per_spin = counting.resonant_partners(p, row["Ra"], row["Rb"]) * 2 * p.T / p.W
    assert float(per_spin) == pytest.approx(row["mean_per_spin"], rel=1e-12)
    assert float(counting.pseudospin_density(p, row["Ra"])) == pytest.approx(
        row["rho_ps"], rel=1e-12
    )


def test_all_partners_agree_with_the_reference():
    row = next(r for r in ROWS if r["what"] == "Ntotal")
    p = of_row(row)
    assert counting.total_partners(p) == pytest.approx(row["poisson"], rel=1e-12)
    beyond = counting.total_partners(p, beyond=p.rho ** (-1 / p.d))
    assert beyond == pytest.approx(row["cut_at_rho"], rel=1e-12)


def test_pseudospin_partners_agree_with_the_reference():
    row = next(r for r in ROWS if r.get("kind") == "sqrt")
    N2 = resonant_pseudospins(of_row(row), row["R1"][0], *row["R2"])
    assert N2 == pytest.approx(row["N2"], rel=3e-6)  # as exact as the reference is


@pytest.mark.parametrize("hopping", HOPPINGS)
@pytest.mark.parametrize("point", [(1, 1.5), (2, 2.0), (3, 4.0)], ids=str)
def test_partners_agree_with_quadrature(point, hopping):
    d, alpha = point
    p = Ensemble(d, alpha, alpha, T=0.4, W=1, t=1.3, rho=0.7, hopping=hopping)
    kink = (p.t / (2 * p.T)) ** (1 / alpha)

    def shell(r):
        return r ** (d - 1) * float(counting.resonance_probability(p, r))

    for low, high in [(0.3, 0.6), (0.8, 1.6), (0.5, 40.0), (20.0, 40.0)]:
        points = [x for x in (kink, 2 * kink) if low < x < high]
        integral, _ = quad(shell, low, high, points=points, epsabs=0, epsrel=1e-11, limit=200)
        expected = p.active_density * counting.sphere(d) * integral
        assert float(counting.resonant_partners(p, low, high)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("hopping", HOPPINGS)
def test_resonance_probability_is_the_mean_over_energies_and_hopping(hopping):
    p = Ensemble(2, 3, 3, T=0.5, W=1, t=1.1, hopping=hopping)
    rng = stream("probability", 0)
    n = 400_000
    gap = np.abs(rng.random(n) - rng.random(n))
    t = {"fixed": 1.0, "uniform": rng.uniform(-1, 1, n), "gaussian": rng.normal(size=n)}[hopping]
    for r in (0.8, 1.2, 2.0):
        measured = (gap < np.abs(t) * p.t / r**3).mean()
        exact = float(counting.resonance_probability(p, r))
        assert measured == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / n) + 1e-12)


@pytest.mark.parametrize("hopping", HOPPINGS)
def test_all_distances_are_the_sum_of_shells(hopping):
    p = Ensemble(2, 3.5, 3, T=0.2, W=1, t=0.6, hopping=hopping)
    edges = np.geomspace(1e-6, 1e8, 200)
    shells = counting.resonant_partners(p, edges[:-1], edges[1:]).sum()
    assert float(shells) == pytest.approx(counting.total_partners(p), rel=1e-9)


def test_counts_approach_the_scaling_theory():
    """At strong disorder the prefactor 2 S_d ln 2 of alpha = d is all that is left out."""
    p, estimate = Ensemble(3, 3, 3, T=1e3, W=1e6), spin_model(3, 3, 3, T=1e3, W=1e6, t=1, V=1)
    ratio = (
        counting.pseudospin_density(p, 9.0)
        / scales.pseudospin_density(estimate, LogArray.of(9.0)).value
    )
    # Active energies span 2T/W, pairs count once.
    assert float(ratio) == pytest.approx(4 * np.pi * 2 * np.log(2), rel=1e-5)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_density_of_splittings_is_the_slope_of_their_distribution(law):
    ends = law.breaks
    middle = np.sqrt(ends[0] * ends[-1])
    inner = [x for x in ends if ends[0] < x < middle]
    integral, _ = quad(law.density, ends[0], middle, points=inner or None, epsabs=1e-12)
    assert integral == pytest.approx(float(law.distribution(middle)), abs=1e-9)
    assert law.distribution([0.0, ends[0], ends[-1], 9.0]).tolist() == pytest.approx([0, 0, 1, 1])


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_the_overlap_of_splittings_agrees_with_quadrature(law):
    for width in (0.03, 0.4):
        ends = law.breaks
        points = np.concatenate([ends, ends - width, ends + width])
        points = np.unique(np.clip(points, ends[0], ends[-1]))

        def inside(e, width=width):
            window = law.distribution(e + width) - law.distribution(e - width)
            return float(law.density(e) * window)

        pieces = [quad(inside, a, b, epsabs=1e-12, epsrel=1e-10)[0] for a, b in pairwise(points)]
        assert float(law.overlap(width)) == pytest.approx(sum(pieces), abs=1e-9)


@pytest.mark.parametrize("law", LAWS, ids=str)
def test_splittings_agree_with_their_definition(law):
    """Sampled from spins: two sites at s, two energies, rejected if they do not resonate."""
    rng, n = stream(repr(law), 0), 1_000_000
    s = (1 + rng.random(n) * (2.0**law.d - 1)) ** (1 / law.d)
    x = law.x1 * s**-law.alpha
    gap = np.abs(rng.random(n) - rng.random(n)) if law.x1 > 0.1 else x * rng.random(n)
    weight = x * np.ones(n) if law.x1 <= 0.1 else np.ones(n)
    kept = (gap < x) & (rng.random(n) < weight / weight.max())
    energies = np.hypot(gap, 2 * x)[kept] / law.x1
    half = energies.size // 2
    for width in (0.05, 0.5):
        close = np.abs(energies[:half] - energies[half : 2 * half]) < width
        exact = float(law.overlap(width))
        assert close.mean() == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / half))


def test_equal_sizes_would_bring_a_logarithm():
    """In a flat band at one size, P = 2 v (ln(1/v) + C); sizes from R1 to 2 R1 wash it out."""
    cold = Splittings(2, 3.0, 1e-9)
    slopes = cold.overlap([1e-5, 1e-4]) / [1e-5, 1e-4]
    assert abs(slopes[0] - slopes[1]) < 0.05 < 2 * np.log(10)


def test_two_pseudospins_far_apart_have_no_more_resonances():
    p = Ensemble(2, 3, 3, T=1e-3, W=20)
    R1 = 50.0
    star = p.interaction_radius(R1)
    near = resonant_pseudospins(p, R1, 0.01 * star, 0.02 * star)
    disc = float(counting.pseudospin_density(p, R1)) * np.pi * (0.02**2 - 0.01**2) * star**2
    assert near == pytest.approx(disc, rel=1e-12)
    tail = [resonant_pseudospins(p, R1, x * star) for x in (64, 128)]
    assert tail[1] / tail[0] == pytest.approx(0.5, rel=1e-3)  # r**(d - beta)
    cut = resonant_pseudospins(p, R1, 0.5 * star, 2 * star, cutoff=1.0)
    assert cut == pytest.approx(resonant_pseudospins(p, R1, 0.5 * star, star))


@pytest.mark.parametrize(
    ("point", "at"), [((1, 1.5, 1.5), 0.983), ((2, 3, 3), 0.825), ((2, 2.5, 2.5), 1.057)], ids=str
)
def test_the_maximum_is_near_the_interaction_radius(point, at):
    p, R1 = Ensemble(*point, T=10, W=20), 1e4
    R2, N2 = peak_resonant_pseudospins(p, R1)
    assert R2 / p.interaction_radius(R1) == pytest.approx(at, abs=0.01)
    assert N2 >= resonant_pseudospins(p, R1, 1.1 * R2)
    assert N2 >= resonant_pseudospins(p, R1, R2 / 1.1)


def test_without_a_maximum_there_is_a_plateau():
    p = Ensemble(3, 3, 3, T=1e-3, W=100)
    R2, plateau = peak_resonant_pseudospins(p, 50.0)
    assert np.isinf(R2)
    far = resonant_pseudospins(p, 50.0, 1e3 * p.interaction_radius(50.0))
    assert far == pytest.approx(plateau, rel=1e-3)


@pytest.mark.parametrize(
    ("point", "W", "zeta"),
    [
        ((1, 1.5, 1.5), 20, -2),
        ((2, 3, 3), 20, -1),
        ((2, 2.5, 2.5), 20, -2 / 3),
        ((3, 3, 3), 100, -1 / 3),
    ],
    ids=str,
)
def test_the_size_that_just_connects_has_the_exponent_of_the_paper(point, W, zeta):
    cold, colder = (size_where(Ensemble(*point, T=T, W=W), 1.0) for T in (1e-8, 1e-10))
    assert np.log(colder / cold) / np.log(1e-2) == pytest.approx(zeta, abs=1e-4)
    p = Ensemble(*point, T=1e-8, W=W)
    assert resonant_pseudospins(p, cold, p.interaction_radius(cold)) == pytest.approx(1, rel=1e-9)


def test_no_network_is_said_so():
    with pytest.raises(ValueError, match="no network"):
        size_where(Ensemble(2, 6, 3.5, T=1e-3, W=20), 1.0)
    with pytest.raises(ValueError, match="fixed hopping"):
        splittings(Ensemble(2, 3, 3, T=1, W=20, hopping="uniform"), 4.0)


@pytest.mark.parametrize("hopping", HOPPINGS)
@pytest.mark.parametrize(
    ("point", "W", "T"), [((1, 1.5), 20, 10), ((2, 3), 20, 2.5), ((3, 3), 100, 50)], ids=str
)
def test_resonant_pairs_are_as_many_as_predicted(point, W, T, hopping):
    assert octave_p_value(point, W, T, hopping, spins=100_000) > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("hopping", HOPPINGS)
@pytest.mark.parametrize("active", [False, True])
@pytest.mark.parametrize(("point", "W"), [((1, 1.5), 20), ((2, 3), 20), ((3, 3), 100)], ids=str)
def test_two_million_spins_resonate_as_predicted(point, W, active, hopping):
    T = W / 8 if active else W / 2
    assert octave_p_value(point, W, T, hopping, spins=2_000_000) > 1e-3


def octave_p_value(point, W, T, hopping, spins):
    """Return p of chi2 of the counts per octave, whose variance is mean (1 + 2 N1)."""
    d, alpha = point
    p = Ensemble(d, alpha, alpha, T=T, W=W, hopping=hopping)
    box = (spins / p.active_density) ** (1 / d)
    drawn = sample_active_spins(p, box, stream(f"octaves {point} {T} {hopping}", 0))
    edges = box / 2 * 2.0 ** -np.arange(int(np.log2(box / 2)) + 1)[::-1]
    i, j = resonant_pairs(
        drawn.positions, drawn.energies, box=box, alpha=alpha, rmin=edges[0], coupling=hopping
    )
    apart = drawn.positions[i] - drawn.positions[j]
    apart -= box * np.rint(apart / box)
    counts, _ = np.histogram(np.sqrt((apart**2).sum(axis=1)), edges)
    N1 = counting.resonant_partners(p, edges[:-1], edges[1:])
    mean = spins / 2 * N1
    # Shells share spins: their covariance is that of the number of active spins.
    covariance = np.diag(mean) + spins * np.outer(N1, N1)
    off = counts - mean
    return chi2.sf(off @ np.linalg.solve(covariance, off), counts.size)


@pytest.mark.parametrize(
    ("d", "alpha", "x1"), [(1, 1.5, 1e-9), (2, 6, 0.5), (3, 8, 0.5), (3, 3, 7)]
)
def test_the_interpolated_distribution_is_the_one_that_is_integrated(d, alpha, x1):
    law = Splittings(d, alpha, x1)
    e = np.geomspace(law.breaks[0], law.breaks[-1], 1001)[1:-1]
    table = _Table.of(law)
    np.testing.assert_allclose(table(e), law.distribution(e), rtol=1e-11, atol=1e-12)
    smooth = np.abs(e[:, None] / law.breaks - 1).min(axis=1) > 1e-3
    np.testing.assert_allclose(table(e, 1)[smooth], law.density(e[smooth]), rtol=1e-8)


@pytest.mark.parametrize(("d", "alpha", "x1"), [(1, 1.5, 1e-9), (2, 6, 0.5), (3, 3, 7)])
def test_narrow_and_wide_overlaps_meet(d, alpha, x1):
    law = Splittings(d, alpha, x1)
    widths = np.array([1e-12, 0.99e-7, 1.01e-7, 1e-5])
    np.testing.assert_allclose(law.overlap(widths) / (2 * widths * law.coincidence), 1, rtol=1e-6)
