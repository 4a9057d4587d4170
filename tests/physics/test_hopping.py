"""Hopping: the laws of Mott as printed, and their constant by percolation."""

import json
from pathlib import Path

import numpy as np
import pytest

import delocal
from delocal.physics import hopping
from delocal.physics.disorder import stream
from delocal.physics.model import Status
from delocal.physics.mott_percolation import (
    extrapolate,
    hopping_energy,
    hopping_links,
    sample_growth,
    sites_per_beta,
    wrapping_probability,
)
from delocal.physics.thresholds import Estimate, crossing

FOUND = json.loads((Path(__file__).parent / "reference" / "bethe_hopping.json").read_text())
EITHER_2D = 0.690473725  # probability of winding at the threshold: Newman and Ziff (2001)


def thresholds_in(d, boxes, replicas):
    """Mean beta of both definitions in each box, and the growths themselves."""
    growths = [
        [sample_growth(d, box, stream(f"mott {d} {box}", i)) for i in range(n)]
        for box, n in zip(boxes, replicas, strict=True)
    ]
    estimates = {"either": [], "both": []}
    for box, grown in zip(boxes, growths, strict=True):
        for kind, found in estimates.items():
            beta = np.array([getattr(g, kind) for g in grown]) / sites_per_beta(d, box)
            found.append(Estimate(float(beta.mean()), float(beta.std(ddof=1) / len(beta) ** 0.5)))
    return estimates["either"], estimates["both"], growths


def test_dc_agrees_with_the_reference():
    row = FOUND["mott_d2"]
    sigma = hopping.dc_conductivity(row["d"], row["T"], row["delta"], row["alpha"], row["sigma0"])
    assert sigma.value == pytest.approx(row["sigma"], rel=row["rtol"])
    ds = delocal.evaluate("hopping", d=2, T=0.01, alpha=0.5)
    assert ds.sigma_dc.item() == pytest.approx(row["sigma"], rel=row["rtol"])


def test_ac_agrees_with_the_reference():
    row = FOUND["mott_ac_d2"]
    sigma = hopping.ac_conductivity(row["d"], row["omega"], row["delta"], row["sigma1"])
    assert sigma.value == pytest.approx(row["sigma"], rel=row["rtol"])


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_exponent_of_dc_is_that_of_mott(d):
    T = np.geomspace(1e-12, 1e-6, 7)
    exponent = -hopping.dc_conductivity(d, T, delta=2.0).ln
    slope = np.diff(np.log(exponent)) / np.diff(np.log(T))
    np.testing.assert_allclose(slope, -1 / (d + 1), rtol=1e-12)


@pytest.mark.parametrize("d", [1, 2, 3])
def test_a_hop_is_the_best_of_all_hops(d):
    """exp(-2 r/zeta - e/T) with one level within (r, e) is largest at lengths of that order."""
    T = 1e-4
    r = np.geomspace(1e-2, 1e4, 200_001)
    cost = r + r**-d / T  # in units where the exponent is (delta/T)**(1/(d+1)) up to a factor
    best = r[np.argmin(cost)]
    length = float(hopping.hop_length(d, T).value)
    assert best / length == pytest.approx(d ** (1 / (d + 1)), rel=1e-3)
    energy, exponent = hopping.hop_energy(d, T).value, -hopping.dc_conductivity(d, T).ln
    assert energy / T == pytest.approx(exponent, rel=1e-12)
    assert length == pytest.approx(exponent, rel=1e-12)


def test_ac_is_of_both_signs_and_vanishes_at_both_ends():
    omega = np.array([-0.3, 0.3])
    assert np.ptp(hopping.ac_conductivity(2, omega).ln) == 0
    ends = hopping.ac_conductivity(2, [0.0, 1e-300, 1 - 1e-15, 1.0, 2.0])
    assert ends.value[:3].tolist() == pytest.approx([0, 0, 0], abs=1e-40)
    assert np.isnan(ends.value[3:]).all()
    peak = np.exp(-3 / 2)  # of omega**2 ln**3(1/omega)
    around = hopping.ac_conductivity(2, peak * np.array([0.99, 1.0, 1.01])).ln
    assert np.argmax(around) == 1


def test_dc_and_ac_are_valid_below_the_level_spacing_only():
    ds = delocal.evaluate("hopping", d=3, T=np.array([0.5, 2.0]), omega=np.array([0.5, 2.0]))
    assert (ds.dc_valid == (ds.T < 1)).all()
    assert (ds.ac_valid == (ds.omega < 1)).all()
    status = ds.status.transpose("T", "omega").values
    assert status.tolist() == [[Status.DONE] * 2, [Status.DONE, Status.OUTSIDE_DOMAIN]]
    assert np.isnan(ds.sigma_dc.sel(T=2.0)).all()
    assert np.isnan(ds.sigma_ac.sel(omega=2.0)).all()
    assert np.isfinite(ds.sigma_dc.sel(T=0.5)).all()


@pytest.mark.parametrize("T", [1e-300, 1e-200, 1e-3])
def test_cold_is_zero_with_a_finite_logarithm(T):
    ds = delocal.evaluate("hopping", d=3, T=T, delta=1e300, omega=1e-300)
    assert np.isfinite(ds.log10_sigma_dc.item())
    assert ds.sigma_dc.item() == 0
    assert np.isfinite(ds.log10_sigma_ac.item())


def test_the_constant_of_mott_multiplies_the_spacing():
    plain = hopping.dc_conductivity(2, 1e-3, delta=13.9)
    with_constant = hopping.dc_conductivity(2, 1e-3, delta=1.0, beta=13.9)
    assert float(plain.ln) == pytest.approx(float(with_constant.ln), rel=1e-14)


def test_hopping_energies_depend_on_the_side_of_the_fermi_level():
    rng = stream("energies", 0)
    a, b = rng.uniform(-1, 1, (2, 1000))
    energy = hopping_energy(a, b)
    same = a * b > 0
    np.testing.assert_allclose(energy[same], np.maximum(abs(a), abs(b))[same], rtol=1e-14)
    np.testing.assert_allclose(energy[~same], (abs(a) + abs(b))[~same], rtol=1e-14)


@pytest.mark.parametrize("d", [2, 3])
def test_links_agree_with_all_pairs(d):
    rng, box = stream("links", d), 4.0
    positions, energies = box * rng.random((300, d)), rng.uniform(-1, 1, 300)
    i, j = np.triu_indices(300, 1)
    apart = positions[i] - positions[j]
    apart -= box * np.rint(apart / box)
    exact = np.linalg.norm(apart, axis=1) + hopping_energy(energies[i], energies[j]) < 1
    found = set(zip(*(x.tolist() for x in hopping_links(positions, energies, box)), strict=True))
    assert found == set(zip(i[exact].tolist(), j[exact].tolist(), strict=True))
    assert len(found) > 50


@pytest.mark.parametrize(("d", "ball"), [(2, np.pi), (3, 4 * np.pi / 3)])
def test_the_number_of_links_has_a_closed_form(d, ball):
    """P = ball / box**d * (3/2) / ((d + 1)(d + 2)), from the mean of (1 - eps)**d."""
    rng, box, n, links = stream("number", d), 6.0, 3000, []
    for _ in range(8):
        positions, energies = box * rng.random((n, d)), rng.uniform(-1, 1, n)
        links.append(len(hopping_links(positions, energies, box)[0]))
    expected = n * (n - 1) / 2 * ball / box**d * 1.5 / ((d + 1) * (d + 2))
    error = np.std(links, ddof=1) / np.sqrt(8)
    assert abs(np.mean(links) - expected) < 4 * max(error, np.sqrt(expected / 8)) < 0.05 * expected


@pytest.mark.parametrize("d", [2, 3])
def test_more_than_enough_sites_are_drawn(d):
    for box in (4.0, 8.0):
        for i in range(20):
            grown = sample_growth(d, box, stream(f"enough {box}", i))
            assert grown.either <= grown.both <= 0.95 * sites_per_beta(d, box) * 40


def test_probabilities_of_winding_grow_with_beta():
    growths = [sample_growth(2, 6.0, stream("curve", i)) for i in range(4)]
    beta = np.linspace(1, 40, 14)
    any_way, every_way = (
        wrapping_probability(growths, beta, 2, 6.0, kind) for kind in ("either", "all")
    )
    assert (np.diff(any_way, axis=1) >= 0).all()
    assert (every_way <= any_way).all()
    np.testing.assert_allclose(any_way[:, [0, -1]], [[0, 1]] * 4, atol=1e-3)


def test_mott_constant_in_two_dimensions():
    either, every, _ = thresholds_in(2, (8, 16, 32), (120, 80, 40))
    found = extrapolate(2, (8, 16, 32), either, every)
    assert abs(found.value - 13.87) < 4 * found.stderr < 0.8
    assert either[0].value < either[2].value < found.value < every[2].value < every[0].value


def test_mott_constant_in_three_dimensions_is_not_21():
    either, every, _ = thresholds_in(3, (6, 9), (80, 40))
    found = extrapolate(3, (6, 9), either, every)
    assert abs(found.value - 17.2) < 4 * found.stderr < 2
    assert found.value + 4 * found.stderr < 21.2


def test_the_percolation_model_runs_through_the_engine():
    request = {
        "models": ["mott-percolation"],
        "cases": [{"d": 2, "box": 8}, {"d": 3, "box": 6}, {"d": 3, "box": 200}],
        "sampling": {"replicas": 8},
    }
    ds = delocal.run(request)["mott-percolation"].to_dataset()
    assert ds.status.values.tolist() == [Status.DONE, Status.DONE, Status.OUTSIDE_DOMAIN]
    inside = ds.isel(case=slice(2))
    assert (inside.beta_either < inside.beta_all).all()
    assert (np.diff(inside.wrapping, axis=inside.wrapping.get_axis_num("beta")) >= 0).all()
    assert np.isnan(ds.beta_either.isel(case=2))


@pytest.mark.slow
def test_two_dimensions_are_in_the_class_of_percolation():
    """Curves of two boxes cross at the universal probability of winding, and at beta."""
    beta = np.linspace(13.0, 14.8, 19)
    boxes, replicas = (12, 48), (3000, 500)
    either, every, growths = thresholds_in(2, boxes, replicas)
    curves = [
        wrapping_probability(g, beta, 2, b, "either") for g, b in zip(growths, boxes, strict=True)
    ]
    rng = stream("bootstrap", 0)
    at, height = crossing(beta, *curves)
    again = [
        crossing(beta, *(c[rng.integers(0, len(c), len(c))] for c in curves)) for _ in range(200)
    ]
    error = np.nanstd(again, axis=0)
    assert abs(height - EITHER_2D) < 4 * error[1] < 0.25
    limit = extrapolate(2, boxes, either, every)
    assert abs(limit.value - at) < 4 * np.hypot(limit.stderr, error[0]) < 0.6
    assert abs(at - 13.85) < 0.05 + 3 * error[0]


@pytest.mark.slow
def test_three_dimensions_at_length():
    boxes = (8, 12, 16)
    either, every, _ = thresholds_in(3, boxes, (400, 200, 80))
    found = extrapolate(3, boxes, either, every)
    assert abs(found.value - 17.2) < 4 * found.stderr < 0.6
