"""Thresholds of the networks and R1(T), against other codes' universal numbers and the theory."""

from dataclasses import replace

import numpy as np
import pytest

from delocal.physics import counting, thresholds
from delocal.physics.disorder import Ensemble, sample_active_spins, stream
from delocal.physics.networks import CUT, TAIL
from delocal.physics.pseudospins import sample_dilute, sample_pseudospins
from delocal.physics.splittings import (
    resonant_pseudospins,
    size_where,
    spacing_where,
    temperature_where,
)
from delocal.physics.thresholds import Estimate
from tests.physics.measured import find_threshold, fit_exponent, measure_size

EXPONENTS = {
    (1, 1.5, 1.5): (20, -2, 1024.0),
    (2, 3, 3): (20, -1, 32.0),
    (2, 2.5, 2.5): (20, -2 / 3, 32.0),
    (2, 3, 2.5): (20, -5 / 7, 32.0),
    (3, 3, 3): (100, -1 / 3, 12.0),
}


def from_active_spins(p, R1, box, rng):
    return sample_pseudospins(sample_active_spins(p, box, rng), p, R1)


def threshold(point, sizes, window, replicas, interaction, kind):
    p = Ensemble(*point, T=1e-3, W=20)
    return find_threshold(
        p,
        1e3,
        sizes,
        np.linspace(*window, 9),
        replicas,
        lambda n: stream(f"{point} {sizes} {kind}", n),
        interaction=interaction,
        kind=kind,
    )


def exponent(point, temperatures, boxes, scale=1.0, sampler=sample_dilute):
    W, zeta, box = EXPONENTS[point]
    sizes = [
        measure_size(
            Ensemble(*point, T=T, W=W),
            [stream(f"R1 {point} {T:.6g}", n) for n in range(boxes)],
            box=box * scale,
            steps=1,
            sampler=sampler,
        )
        for T in temperatures
    ]
    return *fit_exponent(temperatures, sizes), zeta


@pytest.mark.parametrize("point", EXPONENTS, ids=str)
def test_the_size_of_the_optimal_pseudospin_has_its_exponent(point):
    measured, chi2, zeta = exponent(point, np.logspace(0, -12, 7), boxes=12)
    assert abs(measured.value - zeta) < 4 * measured.stderr
    assert measured.stderr < 2e-3
    assert chi2 < 4


def test_all_spins_shift_the_size_by_the_shared_ones():
    """Where N2 = 1 there are more partners than the dilute network has: R1 is smaller."""
    p = Ensemble(3, 3, 3, T=50, W=100)
    streams = [stream("shift", n) for n in range(24)]
    full = measure_size(p, streams, sampler=from_active_spins, box=24.0)
    expected = size_where(p, 1.0) * (1 + 0.098) ** (-1 / 3)
    assert full.value == pytest.approx(expected, abs=4 * full.stderr)
    assert full.stderr < 0.01 * expected


def test_the_network_cut_at_the_interaction_radius_is_one_of_overlapping_discs():
    found = threshold((2, 3, 3), (8, 24), (1.35, 1.6), (600, 250), CUT, "either")
    assert found.degree.stderr < 0.1
    assert found.degree.value == pytest.approx(4.512, abs=4 * found.degree.stderr)
    assert found.crossing.value == pytest.approx(0.6905, abs=4 * found.crossing.stderr)


def test_a_tail_lowers_the_threshold_by_an_order_of_magnitude():
    found = threshold((2, 3, 3), (12, 36), (0.1, 0.22), (400, 200), TAIL, "s2/s1")
    assert found.density.value == pytest.approx(0.1547, abs=4 * found.density.stderr)
    assert found.peak.value == pytest.approx(0.51, abs=4 * found.peak.stderr)
    assert found.density.stderr < 0.02


def test_with_beta_equal_to_d_any_density_percolates_in_a_large_enough_box():
    """The mean degree grows as ln L, and the giant cluster with it."""
    p = Ensemble(3, 3, 3, T=1e-3, W=20)
    at, giant, degree, error = np.array([0.02, 0.03]), [], [], []
    for size, replicas in [(16, 40), (32, 20), (64, 6)]:
        grown = [
            thresholds.grow_network(p, 1e3, size, at, stream(f"log {size}", n))
            for n in range(replicas)
        ]
        giant.append(np.mean([g.largest[1] for g, _ in grown]) / (at[1] * size**3))
        degree.append(np.mean([k for _, k in grown]))
        error.append(np.std([k for _, k in grown]) / np.sqrt(replicas - 1))
    assert giant[0] < 0.35 < giant[1] < 0.55 < giant[2]
    plateau = 13.2418  # of N2 / rho' in each octave of the distance
    assert abs(degree[2] - degree[0] - 2 * plateau) < 4 * np.hypot(error[0], error[2]) < 6


def test_a_threshold_does_not_depend_on_the_size_of_pseudospins():
    p = Ensemble(2, 3, 3, T=1e-3, W=20)
    window = np.linspace(0.1, 0.22, 9)
    same = [
        find_threshold(p, R1, (8, 16), window, (60, 40), lambda n: stream("scale", n), kind="s2/s1")
        for R1 in (1e4, 1e5)
    ]
    assert same[0].density.value == pytest.approx(same[1].density.value, rel=1e-3)


def test_no_crossing_is_not_a_number():
    x = np.linspace(0, 1, 9)
    apart, steep = np.tile(x, (3, 1)), np.tile(2 * x - 0.3, (3, 1))
    assert np.isnan(thresholds.crossing(x, apart, apart + 0.1)).all()
    assert np.isnan(thresholds.crossing(x, apart, apart + 2 + 0.5 * x)).all()
    assert thresholds.crossing(x, apart, steep) == pytest.approx((0.3, 0.3))


def test_the_network_of_a_sample_connects_at_the_threshold_temperature():
    p = Ensemble(2, 3, 2.5, T=1e-4, W=20)
    for quantity, wanted in [("N2", 1.0), ("density", 0.155)]:
        Lc = spacing_where(p, wanted, quantity)
        Tc = temperature_where(replace(p, T=1.0), Lc, wanted, quantity)
        assert pytest.approx(p.T, rel=1e-8) == Tc
    assert np.isnan(temperature_where(p, 0.1))
    R1 = size_where(p, 1.0)
    assert resonant_pseudospins(p, R1, spacing_where(p)) == pytest.approx(1)


def test_a_weighted_line_is_found_with_its_error():
    rng = stream("line", 0)
    x = np.geomspace(1, 1e6, 7)
    off = []
    for _ in range(400):
        y = 3 * x**-0.7 * np.exp(rng.normal(0, 0.01, 7))
        fitted, _ = fit_exponent(x, [Estimate(v, 0.01 * v) for v in y])
        off.append((fitted.value + 0.7) / fitted.stderr)
    assert np.std(off) == pytest.approx(1, abs=0.15)
    assert np.mean(off) == pytest.approx(0, abs=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["either", "one", "all"])
def test_the_cut_network_belongs_to_ordinary_percolation(kind):
    plane = threshold((2, 3, 3), (16, 64), (1.42, 1.53), (12_000, 6_000), CUT, kind)
    universal = {"either": 0.690474, "one": 0.521058, "all": 0.351643}[kind]
    assert plane.crossing.value == pytest.approx(universal, abs=0.015)
    assert plane.degree.value == pytest.approx(4.51, abs=0.03)


@pytest.mark.slow
def test_the_cut_network_in_space_has_the_degree_of_overlapping_spheres():
    space = threshold((3, 3, 3), (8, 24), (0.64, 0.72), (8_000, 3_000), CUT, "either")
    assert space.degree.value == pytest.approx(2.735, abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("point", EXPONENTS, ids=str)
def test_the_exponent_over_twelve_decades(point):
    measured, chi2, zeta = exponent(point, np.logspace(0, -12, 13), boxes=32, scale=2.0)
    assert measured.value == pytest.approx(zeta, abs=5e-4)
    assert chi2 < 3


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "decades", "boxes", "within"),
    [((2, 3, 3), (0, -2), 96, 0.005), ((2, 2.5, 2.5), (-2.3, -6.3), 300, 0.002)],
    ids=str,
)
def test_the_exponent_of_all_spins(point, decades, boxes, within):
    hot, cold = decades
    temperatures = np.logspace(hot, cold, round(2 * (hot - cold)) + 1)
    p = Ensemble(*point, T=10**hot, W=EXPONENTS[point][0])
    assert counting.resonant_partners(p, size_where(p, 1.0)) < 0.03
    measured, _, zeta = exponent(point, temperatures, boxes, sampler=from_active_spins)
    assert measured.value == pytest.approx(zeta, abs=within)
    assert measured.stderr < 0.6 * within
