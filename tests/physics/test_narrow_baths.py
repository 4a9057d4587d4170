"""Relaxation by narrow baths, and by the resonant network as one."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from delocal.physics import bath_spectra as spectra
from delocal.physics import narrow_baths as baths
from delocal.physics.model import Status
from delocal.physics.models import narrow_bath, resonant_bath
from delocal.physics.narrow_baths import NarrowBath
from delocal.physics.parameters import spin_model
from delocal.physics.phase_diagram import Region, region
from delocal.physics.relaxation import spin_rate
from delocal.physics.resonant_bath import (
    flip_flop_amplitude,
    fock_space_length,
    network_bath,
    single_hop_rate,
)
from delocal.physics.scales import delocalization_length, optimal_energy

ROWS = {
    row["id"]: row
    for row in json.loads((Path(__file__).parent / "reference" / "gn.json").read_text())["entries"]
}
BATH = NarrowBath.of(gamma=0.01, W=0.1)


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("gamma_a_d1", baths.long_hop_rate(BATH, 2.0, 1)),
        (
            "gamma_b_printed_d2",
            baths.leading_rearrangement_rate(BATH, 2.0, 0.4, 1.0, 2, as_printed=True),
        ),
        ("gamma_c_first", baths.many_quanta_rate(BATH, 0.5)),
    ],
)
def test_rates_agree_with_the_reference(name, rate):
    assert float(rate.value) == pytest.approx(ROWS[name]["value"], rel=ROWS[name]["rtol"])


def test_gaussian_optimum_agrees_with_the_reference():
    row = ROWS["gauss_opt_exact"]
    p = row["params"]
    found = spectra.gaussian_bath_volume(NarrowBath.of(1e-3, p["W"], p["Delta"]), p["Xi"], p["s"])
    assert float(found) == pytest.approx(row["value"], rel=row["rtol"])


@pytest.mark.parametrize(("W", "Xi", "s"), [(0.01, 0.6, 0.5), (1e-5, 1.5, 0.3), (0.1, 0.4, 1.0)])
def test_the_gaussian_optimum_is_one_and_the_printed_is_not(W, Xi, s):
    bath = NarrowBath.of(1e-3 * W, W)
    best = minimize_scalar(
        lambda n: -float(spectra.gaussian_bath_rate(n, bath, Xi, s).ln),
        bounds=(0, 100),
        method="bounded",
        options={"xatol": 1e-10},
    ).x
    assert float(spectra.gaussian_bath_volume(bath, Xi, s)) == pytest.approx(best, abs=1e-5)
    printed = float(spectra.gaussian_bath_volume(bath, Xi, s, as_printed=True))
    assert best - printed == pytest.approx(np.log(2) / (2 * s), abs=1e-5)


def test_the_gaussian_rate_has_the_exponent_of_the_band_with_edges():
    """Up to logarithms it is (W/Delta)**(2/Xi) with the matrix element of Sec. II."""
    bath, Xi, s = NarrowBath.of(1e-30, np.array([1e-10, 1e-12])), 0.6, 0.5
    best = spectra.gaussian_bath_volume(bath, Xi, s, as_in_section_2=True)
    powers = [
        np.diff((rate / bath.rate).ln)[0] / np.log(1e-2)
        for rate in (
            spectra.gaussian_bath_rate(best, bath, Xi, s, as_in_section_2=True),
            baths.rearrangement_rate(bath, np.inf, Xi, s, 1),
        )
    ]
    assert powers == pytest.approx([2 / Xi] * 2, rel=1e-9)


@pytest.mark.parametrize(("Xi", "K"), [(2.0, 3.0), (1.0, 10.0), (0.95, 3.0)])
def test_the_lorentzian_optimum_is_one(Xi, K):
    bath = NarrowBath.of(1e-9, 1e-6)
    best = minimize_scalar(
        lambda n: -float(spectra.lorentzian_bath_rate(n, bath, Xi, K).ln),
        bounds=(0, 60),
        method="bounded",
        options={"xatol": 1e-10},
    ).x
    found = float(spectra.lorentzian_bath_order(bath, Xi, K))
    assert found == pytest.approx(best, abs=1e-5)
    condition = K ** (-2 * found)  # Eq. (A4)
    assert condition == pytest.approx(1e-12 / Xi / (np.log(K) - 1 / Xi), rel=1e-9)


def test_below_the_transition_of_a_dot_the_lowest_order_wins():
    bath, n = NarrowBath.of(1e-9, 1e-6), np.arange(1.0, 40.0)
    assert np.isnan(spectra.lorentzian_bath_order(bath, 0.8, 3.0))
    assert (np.diff(spectra.lorentzian_bath_rate(n, bath, 0.8, 3.0).ln) < 0).all()
    assert float(spectra.cut_bath_order(1.0, 1 / 27, 3.0)) == pytest.approx(3)


def test_the_printed_power_is_that_of_the_matrix_element():
    W = np.array([1e-6, 1e-8])
    bath = NarrowBath.of(1e-12, W)

    def power(**how):
        rate = baths.leading_rearrangement_rate(bath, 2.0, 0.4, 0.5, 2, **how)
        return np.diff((rate / bath.rate).ln)[0] / np.log(1e-2)

    assert power() == pytest.approx(2 / 0.4)
    assert power(as_printed=True) == pytest.approx(1 / 0.4)
    dot = baths.dot_rate(bath, 0.4 / np.log(3), 3)  # Eq. (16) has the square
    assert np.diff((dot / bath.rate).ln)[0] / np.log(1e-2) == pytest.approx(2 / 0.4)


def test_the_rule_for_one_dimension_holds_for_s_1_only():
    for s, agrees in [(1.0, True), (0.5, False)]:
        whole = baths.rearrangement_rate(BATH, 2.0, 0.4, s, 1)
        twice = baths.leading_rearrangement_rate(BATH, 2.0, 0.4, s, 1, as_printed=True)
        square = BATH.rate * (twice / BATH.rate) ** 2
        assert bool(np.isclose(whole.ln, square.ln, rtol=1e-12)) is agrees


def test_rearrangements_win_as_the_band_narrows():
    """For gamma, W -> 0 channel (b) is the fastest, as the paper says below Eq. (8)."""
    parameters = {p.name: np.array(p.default) for p in narrow_bath.model.parameters if p.default}
    W = np.array([0.5, 1e-2, 1e-4, 1e-6])
    found = narrow_bath.model.evaluate({**parameters, "W": W, "gamma": 1e-3 * W}, {})
    assert found["mechanism"].tolist() == [1, 2, 2, 2]
    assert (found["Gamma_b"] > found["Gamma_c"]).all()


def test_the_volume_of_many_quanta():
    bath = NarrowBath.of(1e-9, np.array([1e-2, 1e-100]))
    exact, approximate = baths.many_quanta_volume(bath, 0.5), baths.rearranged_volume(bath, 0.5)
    assert (exact < approximate).all()
    assert (np.diff(exact / approximate) > 0).all()


def test_a_wide_band_is_outside():
    parameters = {p.name: np.array(p.default) for p in narrow_bath.model.parameters if p.default}
    found = narrow_bath.model.evaluate({**parameters, "W": np.array([0.5, 1.0, 2.0])}, {})
    assert found["status"].tolist() == [Status.DONE, Status.OUTSIDE_DOMAIN, Status.OUTSIDE_DOMAIN]
    assert found["valid"].tolist() == [1, 0, 0]
    assert np.isnan(found["log10_Gamma_b"]).tolist() == [False, True, True]


def test_extreme_baths_are_finite_or_outside():
    extremes = np.array([1e-300, 1.0, 1e300])
    mesh = np.meshgrid(*[extremes] * 6, [1, 3], [1 + 1e-15, 1e300])
    names = ("W", "gamma", "Delta", "xi", "Xi", "s", "d", "K")
    parameters = {name: values.ravel() for name, values in zip(names, mesh, strict=True)}
    found = narrow_bath.model.evaluate(parameters, {})
    outside = found["status"] == Status.OUTSIDE_DOMAIN
    np.testing.assert_array_equal(outside, parameters["W"] >= parameters["Delta"])
    for name in ("Gamma_a", "Gamma_b", "Gamma_c", "Gamma_dot", "Gamma_gaussian"):
        np.testing.assert_array_equal(np.isnan(found[f"log10_{name}"]), outside, err_msg=name)


SPINS = spin_model(
    d=[1, 2, 2, 3, 3],
    alpha=[1.6, 3, 5, 4, 3.5],
    beta=[1.5, 2.5, 2.2, 3.5, 3.2],
    T=1e-4,
    W=2,
    rho=0.3,
)


def test_single_hops_are_the_assisted_spins_of_the_other_theory():
    """Gopalakrishnan and Nandkishore (6) with power-law hops is Gutman et al. (S-A.5)."""
    np.testing.assert_allclose(single_hop_rate(SPINS).ln, spin_rate(SPINS).ln, rtol=1e-12)


def test_the_network_couples_as_strongly_as_it_is_wide():
    bath = network_bath(SPINS)
    at_spacing = SPINS.V / delocalization_length(SPINS) ** SPINS.beta
    np.testing.assert_allclose(bath.gamma.ln, at_spacing.ln, rtol=1e-12)
    np.testing.assert_array_equal(bath.W.ln, optimal_energy(SPINS).ln)


def test_one_more_spin_costs_one_flip_flop():
    """exp(-s n/Xi) = eta**n, so that Gamma_b = E* exp(-2 ln(T/E*) ln(1/eta)/s)."""
    Xi, s = fock_space_length(SPINS, 0.7), 0.7
    eta = flip_flop_amplitude(SPINS)
    np.testing.assert_allclose(np.exp(-s / Xi), eta.value, rtol=1e-12)
    bath = network_bath(SPINS)
    rate = baths.leading_rearrangement_rate(bath, np.inf, Xi, s, SPINS.d)
    np.testing.assert_allclose((rate / bath.W).ln, 2 * bath.mismatch * eta.ln / s, rtol=1e-12)


def resonant(**given):
    parameters = {p.name: np.array(p.default) for p in resonant_bath.model.parameters if p.default}
    return resonant_bath.model.evaluate(
        {**parameters, **{name: np.array(value) for name, value in given.items()}}, {}
    )


def test_rearrangements_fall_faster_than_any_power_of_temperature():
    T = np.geomspace(1e-3, 1e-12, 10)
    found = resonant(d=3, alpha=4.0, beta=3.5, T=T, W=1.0)
    powers = np.diff(found["log10_Gamma_b"]) / np.diff(np.log10(T))
    assert (np.diff(powers) > 0).all()
    singles = np.diff(found["log10_Gamma_a"]) / np.diff(np.log10(T))
    np.testing.assert_allclose(singles, singles[0], rtol=1e-9)
    assert (found["mechanism"] == 1).all()
    np.testing.assert_array_equal(found["Gamma"], found["Gamma_a"])


def test_the_resonant_bath_exists_where_its_network_does():
    alpha, beta = np.meshgrid(np.linspace(2.1, 6, 40), np.linspace(2.05, 5, 40))
    found = resonant(d=2, alpha=alpha, beta=beta, T=1e-4, W=1.0)
    where = region(2.0, alpha, beta)
    inside = np.isin(where, [Region.IIb, Region.BORDER_IIb_IIc, Region.IIc])
    np.testing.assert_array_equal(found["status"] == Status.DONE, inside & (found["eta"] < 1))
    assert inside.sum() > 100
    assert (found["log10_E_star"][found["status"] == Status.DONE] < -4).all()
    hot = resonant(d=2, alpha=3.0, beta=2.5, T=[0.5, 2.0], W=1.0)
    assert hot["status"].tolist() == [Status.DONE, Status.OUTSIDE_DOMAIN]
