"""Pseudo2-spins: what is found among pseudo-spins against the exact laws of their equivalent."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import kstest

import delocal
from delocal.physics import counting
from delocal.physics.disorder import Ensemble, stream
from delocal.physics.model import Status
from delocal.physics.networks import network
from delocal.physics.parameters import power_laws, spin_model
from delocal.physics.pseudo2spins import (
    equivalent,
    pseudo2spin_network,
    sample_pairs,
    thermal_size,
)
from delocal.physics.pseudospins import PseudoSpins, sample_dilute
from delocal.physics.scales import optimal_pseudo2spin_size
from delocal.physics.splittings import resonant_pseudospins, size_where, splittings

CHAIN = Ensemble(1, 3, 1.7, T=1, W=2)  # N2 = 0.0012 at R2(T), 4190 times R2*(R1_th)
PLANE = Ensemble(2, 6, 2.2, T=1, W=2, rho=0.15)
POINTS = [CHAIN, PLANE, Ensemble(3, 8, 4.5, T=0.3, W=5, t=0.7, V=1.4, rho=1.2)]


@pytest.mark.parametrize("p", POINTS, ids=lambda p: f"d={p.d}")
def test_the_equivalent_has_their_density(p):
    R1, like = thermal_size(p), equivalent(p)
    R2 = p.interaction_radius(R1) * np.array([30.0, 100.0, 1000.0])
    pairs = counting.pseudospin_density(p, R1) / 2
    pairs = pairs * np.array([resonant_pseudospins(p, R1, r) for r in R2])
    off = counting.pseudospin_density(like, R2) / pairs - 1
    assert (abs(off) < 2 * 30**-p.beta).all()  # energies vary over the coupling
    assert abs(off[2]) < 2e-5


@pytest.mark.parametrize("p", POINTS, ids=lambda p: f"d={p.d}")
def test_pseudo2spins_split_and_stretch_like_pseudospins_of_equal_ranges(p):
    R1 = thermal_size(p)
    R2 = 30 * p.interaction_radius(R1)
    density = float(counting.pseudospin_density(equivalent(p), R2))
    box = max((3000 / density) ** (1 / p.d), 4 * R2)
    most = (5e6 / float(counting.pseudospin_density(p, R1))) ** (1 / p.d)
    drawn = [sample_pairs(p, R2, min(box, most), stream("laws", n)) for n in range(4)]
    like, E = equivalent(p), p.V / R2**p.beta
    sizes = np.concatenate([some.size for some in drawn])
    levels = np.concatenate([some.splitting for some in drawn]) / E
    assert sizes.size > 1000
    assert kstest(sizes, lambda R: counting.size_distribution(like, R2, R)).pvalue > 1e-3
    assert kstest(levels, splittings(like, R2).distribution).pvalue > 1e-3


def test_they_are_pairs_of_resonant_pseudospins_with_their_coupling():
    p, R2 = Ensemble(2, 5, 3, T=10, W=20), 1.5
    R1, box = thermal_size(p), 80 * R2
    pairs = sample_pairs(p, R2, box, stream("pairs", 3))
    some = sample_dilute(p, R1, box, stream("pairs", 3))  # the same stream: the same pseudo-spins
    links = network(some, p, R1)
    found = set(zip(*pairs.spins.T, strict=True))
    assert 100 < len(pairs) == len(found)
    assert found < set(zip(links.a, links.b, strict=True))
    u = p.V / pairs.size**p.beta
    gap = some.splitting[pairs.spins[:, 0]] - some.splitting[pairs.spins[:, 1]]
    np.testing.assert_allclose(pairs.detuning, gap)
    np.testing.assert_allclose(pairs.splitting, np.hypot(gap, 2 * u))
    assert (abs(gap) < u).all()
    assert ((pairs.size >= R2) & (pairs.size < 2 * R2)).all()


def test_they_make_a_network_of_their_own():
    p = Ensemble(2, 6, 2.2, T=1, W=2, rho=0.6)
    pairs = sample_pairs(p, 3.0, 120.0, stream("own", 0))
    links, every = pseudo2spin_network(pairs, p), pseudo2spin_network(pairs, p, disjoint=False)
    apart = pairs.midpoint[:, None] - pairs.midpoint
    apart -= pairs.box * np.rint(apart / pairs.box)
    r = np.sqrt((apart**2).sum(axis=2))
    with np.errstate(divide="ignore"):
        near = abs(pairs.splitting[:, None] - pairs.splitting) < p.V * r**-p.beta
    near &= r < pairs.box / 2
    shares = (pairs.spins[:, None, :, None] == pairs.spins[None, :, None, :]).any(axis=(2, 3))
    for found, wanted in [(every, near), (links, near & ~shares)]:
        a, b = np.nonzero(np.triu(wanted, 1))
        np.testing.assert_array_equal(found.a, a)
        np.testing.assert_array_equal(found.b, b)
    assert 0 < len(links) < len(every)


@pytest.mark.parametrize("p", POINTS, ids=lambda p: f"d={p.d}")
@pytest.mark.parametrize("letter", ["T", "W", "rho"])
def test_the_optimal_size_has_the_exponents_of_the_theory(p, letter):
    """Pseudo-spins of thermal size keep their law: the power law is exact."""
    exact = float(optimal_pseudo2spin_size(power_laws(p.d, p.alpha, p.beta)).of[letter])
    # t and V as they are, T and W together lower by 10: no band edge is met
    cold = replace(p, T=p.T / 100)
    moved = replace(cold, **{letter: getattr(cold, letter) * 1.5})
    slope = np.log(size_where(equivalent(moved), 1.0) / size_where(equivalent(cold), 1.0))
    assert slope / np.log(1.5) == pytest.approx(exact, rel=1e-6)


def test_the_prefactor_of_the_optimal_size_is_of_order_one():
    """Against Eq. (50) with prefactor 1, to the power that N3 has: N3 ~ R2**(2d - beta)."""
    for p in POINTS:
        paper = spin_model(p.d, p.alpha, p.beta, p.T, p.W, p.t, p.V, p.rho)
        ratio = size_where(equivalent(p), 1.0) / float(optimal_pseudo2spin_size(paper).value)
        assert 1e-3 < ratio ** (2 * p.d - p.beta) < 1


def pulls(ds, name):
    return ((ds[name] - ds[f"{name}_exact"]) / ds[f"{name}_stderr"]).values


@pytest.mark.parametrize(("sampler", "replicas"), [("dilute", 64), ("pairs", 64)])
def test_their_network_has_the_partners_that_the_exact_law_says(sampler, replicas):
    request = {
        "models": ["pseudo2-network"],
        "fixed": {"d": 1, "alpha": 3, "beta": 1.7, "T": 1, "W": 2, "t": 1, "V": 1},
        "options": {"pseudo2-network": {"sampler": sampler}},
        "sampling": {"replicas": replicas},
    }
    ds = delocal.run(request)["pseudo2-network"].to_dataset()
    assert ds.status == Status.DONE
    assert ds.regime_valid == 1
    assert float(ds.N3_exact.sel(R3=1)) == pytest.approx(1)
    outer = ds.sel(R3=slice(0.5, 4))  # links of the inner octaves are few
    assert (abs(pulls(outer, "N3")) < 4.5).all()
    assert (outer.N3_stderr < 0.15 * outer.N3_exact).all()
    assert abs(float(ds.R2 - ds.R2_exact)) < 4 * float(ds.R2_stderr)


def test_regions_without_them_are_outside_the_domain():
    request = {
        "models": ["pseudo2-network"],
        "axes": {"T": [0.5, 2]},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 2},
        "sampling": {"replicas": 2},
    }
    ds = delocal.run(request)["pseudo2-network"].to_dataset()
    assert (ds.status == Status.OUTSIDE_DOMAIN).all()
    assert ds.R2_exact.isnull().all()


def test_too_many_pseudospins_are_refused_and_too_few_are_handled():
    with pytest.raises(ValueError, match="pseudo-spins, more than"):
        sample_pairs(CHAIN, 1e6, 1e12, stream("many", 0))
    nobody = sample_pairs(replace(CHAIN, rho=1e-9), 10.0, 100.0, stream("few", 0))
    assert isinstance(nobody, PseudoSpins)
    assert len(nobody) == len(pseudo2spin_network(nobody, CHAIN)) == 0
