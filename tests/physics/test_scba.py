"""Temperatures and conductivities of localized electrons: criteria, T_c, the sweepable models."""

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from delocal.physics import crossover, crossover_limits, linewidths, scba, scba_transition
from delocal.physics.model import Status
from delocal.physics.models import load_models
from delocal.physics.models.scba_temperature import Phase
from delocal.physics.scba import Grains

ENTRIES = json.loads((Path(__file__).parent / "reference" / "baa.json").read_text())["entries"]
FUNCTIONS = {
    "C_sigma_hi": lambda: crossover_limits.hot_coefficient("sigma"),
    "C_kappa_lo": lambda: crossover_limits.cold_coefficient("kappa"),
    "P_mode_over_gn": lambda: linewidths.MODE,
    "P_cdf_1": lambda Gamma, gamma_n: linewidths.cumulative(Gamma, gamma_n),
    "gamma_n3": lambda T_over_Tc, n: linewidths.typical_width(n, T_over_Tc, 1.0).value,
    "Tc_slide": lambda delta, lam, M, I, c: scba_transition.critical_temperature_slides(  # noqa: E741
        Grains(lam, M, I, delta=delta), c
    ),
    "Tin_slide": lambda delta, lam, M: scba.inelastic_temperature_slides(
        Grains(lam, M, delta=delta)
    ),
    "Tel_slide": lambda delta, lam, M, d: scba.elastic_temperature(
        Grains(lam, M, 0.1, d, 1, delta)
    ),
    "kappa_inf": lambda T, I, d, zeta: scba.thermal_conductivity_limit(  # noqa: E741
        Grains(0.01, 4, I, d, zeta), T
    ),
    "cross_L": lambda u: crossover.lorenz_ratio(u),
    "ema_sigma": lambda d, u: crossover.conductivity_ratio("sigma", u, d),
}
COLD_GRAINS = {"lam": 1e-4, "M": 50.0, "d": 1.0, "zeta": 1.0, "I": 0.1, "delta": 1.0, "c": 1.0}


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry["id"])
def test_the_reference_numbers(entry):
    [function] = [f for name, f in FUNCTIONS.items() if entry["id"].startswith(name)]
    assert float(function(**entry["params"])) == pytest.approx(entry["value"], rel=entry["rtol"])


def temperature(T, options=None, **changes):
    """Evaluate the model scba-temperature along T."""
    model = load_models()["scba-temperature"]
    values = {**COLD_GRAINS, "n": 1.0, **changes}
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    chosen = {option.name: option.choices[0] for option in model.options} | (options or {})
    return model.evaluate({"T": np.asarray(T, dtype=np.float64), **arrays}, chosen)


def lorentzian(x, width):
    return width / np.pi / (x**2 + width**2)


@pytest.mark.parametrize("M", [4.0, 50.0])
def test_the_spread_of_widths_is_that_of_three_broadened_daughters(M):
    """Campbell: M T / delta**2 triples per energy, a Lorentzian of the width 3 Gamma each."""
    p, T = Grains(lam=1e-3, M=M, delta=2.0), 700.0
    Gamma = float(scba.mean_inelastic_width(p, T))
    triples, strength = M * T / p.delta**2, np.pi * (p.lam * p.delta) ** 2
    square, _ = quad(lambda x: lorentzian(x, 3 * Gamma) ** 2, 0, np.inf, epsabs=0)
    assert strength * triples == pytest.approx(Gamma, rel=1e-12)
    spread = np.sqrt(2 * triples * strength**2 * square)
    assert float(scba.inelastic_width_spread(p)) == pytest.approx(spread, rel=1e-8)


def test_the_measured_spread_of_a_tree_decides_for_the_square_root():
    """A tree with lam = 2e-4, M = 5 has var/mean**2 = .1105 at 400 delta, .0276 at 800 delta."""
    p = Grains(lam=2e-4, M=5)
    for T, measured, derived in ((400, 0.1105, 0.1055), (800, 0.0276, 0.0264)):
        ratio = float((scba.inelastic_temperature(p) / T) ** 2)
        printed = float((scba.inelastic_temperature_slides(p) / T) ** 2)
        assert ratio == pytest.approx(derived, abs=5e-5)
        assert abs(np.log(ratio / measured)) < 0.05 < 1.7 < abs(np.log(printed / measured))


@pytest.mark.parametrize("d", [1, 2, 3])
def test_the_criterion_of_the_elastic_width_is_four_times_the_scale(d):
    """Campbell again: one level per delta in each of 2d grains, with the half width Gamma."""
    p = Grains(lam=0.01, M=4, I=0.1, d=d)
    T = float(scba.elastic_temperature_criterion(p))
    Gamma = float(scba.mean_inelastic_width(p, T))
    square, _ = quad(lambda x: lorentzian(x, Gamma) ** 2, 0, np.inf, epsabs=0)
    variance = 2 * d * 2 * (np.pi * p.I**2) ** 2 * square
    assert variance == pytest.approx(float(scba.mean_elastic_width(p)) ** 2, rel=1e-8)
    assert T / float(scba.elastic_temperature(p)) == pytest.approx(4, rel=1e-12)


def test_the_scale_on_the_slides_is_that_of_the_correction_to_sigma():
    """The variance of a bond, from its sum over levels, is (2/3) delta T_el / T**2."""
    p, T = Grains(lam=0.01, M=4, I=0.05, delta=1.5), 60.0
    Gamma = float(scba.mean_inelastic_width(p, T))

    def thermal(xi):
        return 1 / (4 * T * np.cosh(xi / (2 * T)) ** 2)

    energies, _ = quad(lambda xi: thermal(xi) ** 2, -60 * T, 60 * T, points=[0], epsabs=0)
    square, _ = quad(lambda x: lorentzian(x, 2 * Gamma) ** 2, 0, np.inf, epsabs=0)
    bond = 2 * np.pi * p.I**2 * p.delta**2
    variance = bond**2 * energies * 2 * square / p.delta**2
    mean = bond / p.delta**2
    assert mean == pytest.approx(float(scba.conductivity_limit(p)), rel=1e-12)
    u = float(scba.crossover_parameter(p, T))
    assert variance / mean**2 == pytest.approx(2 / 3 * u, rel=1e-8)
    assert u == pytest.approx(p.delta * float(scba.elastic_temperature(p)) / T**2, rel=1e-12)


@pytest.mark.parametrize("c", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("I", [1e-30, 1e-3, 0.1, 0.9])
def test_critical_temperature_solves_the_equation_of_the_slides(I, c):  # noqa: E741
    p = Grains(lam=0.003, M=7, I=I, delta=2.0)

    def equation(T):
        left = 12 * 0.003 * 7 * T / 2 * np.log(1 / 0.003)
        return np.log(left) - c * 2 * abs(np.log(I)) / T

    T_c = float(scba_transition.critical_temperature_slides(p, c))
    assert brentq(equation, 1e-3, 1e4, rtol=1e-14) == pytest.approx(T_c, rel=1e-12)
    above, below = scba_transition.growth_slides(p, np.array([1.01, 0.99]) * T_c, c)
    assert below < 1 < above


def test_without_a_barrier_for_tunnelling_the_slides_agree_with_the_review():
    p = Grains(lam=0.003, M=7, I=1.0)
    C2 = scba_transition.transition_coefficient(7)
    T_c = float(scba_transition.critical_temperature(p, C2))
    assert float(scba_transition.critical_temperature_slides(p)) == pytest.approx(T_c, rel=1e-13)
    weak = float(scba_transition.critical_temperature_slides(Grains(0.003, 7, 1 - 1e-12)))
    assert weak == pytest.approx(T_c, rel=1e-10)
    upper = scba_transition.transition_coefficient(7, "upper-limit")
    assert float(scba_transition.critical_temperature(p, upper)) == pytest.approx(T_c * 2 / np.e)


def test_critical_temperature_of_the_tree():
    """lam = 2e-4, M = 5: (28) with C2 = 12 M is 9.78 delta."""
    p = Grains(lam=2e-4, M=5)
    assert float(scba_transition.critical_temperature(p, 60.0)) == pytest.approx(9.78, abs=0.01)


def test_two_scales_of_saturation_differ_by_a_power_of_lam():
    weak, weaker = (Grains(lam=lam, M=4) for lam in (1e-2, 1e-3))
    of = {"slides": scba.saturation_temperature, "review": scba.elastic_temperature_review}
    power = {name: np.log10(float(T(weaker) / T(weak))) for name, T in of.items()}
    assert power == pytest.approx({"slides": 1.0, "review": 2.0})


def test_lam_squared_goes_with_one_power_of_temperature_in_the_review_and_two_on_the_slides():
    """Both have sigma ~ lam**2 T**alpha between T_in and saturation; alpha decides where it is."""
    lam, T = np.array([1e-4, 1.1e-4]), 5.0
    p = Grains(lam, M=50)
    u = scba.crossover_parameter(p, T)
    sigma = {
        "slides": crossover.conductivity_ratio("sigma", u),
        "review, 1": scba.conductivity_ratio_review(p, T, 1.0),
        "review, 2": scba.conductivity_ratio_review(p, T, 2.0),
    }
    power = {name: np.log(ratio[1] / ratio[0]) / np.log(1.1) for name, ratio in sigma.items()}
    assert power == pytest.approx({"slides": 2, "review, 1": 2, "review, 2": 4}, abs=0.02)


def test_phases_follow_each_other_with_temperature():
    T = np.geomspace(1, 1e5, 400)
    results = temperature(T)
    phase, sigma = results["phase"], results["sigma"]
    assert (np.diff(phase) >= 0).all()
    assert set(phase) == set(Phase)
    insulator = phase == Phase.insulator
    assert (sigma[insulator] == 0).all()
    assert (results["kappa"][insulator] == 0).all()
    assert np.isnan(results["lorenz_ratio"][insulator]).all()
    assert (sigma[~insulator] > 0).all()
    assert (np.diff(sigma) >= 0).all()
    for name, at in (("T_c_slides", 1), ("T_in", 2), ("T_saturation", 3)):
        first = T[phase >= at][0]
        assert results[name][0] <= first < results[name][0] * T[1] / T[0], name


def test_conductivity_grows_as_the_square_of_temperature_and_saturates():
    results = temperature([5.0, 5.05, 1e6, 1.01e6])
    slope = np.diff(np.log(results["sigma"])) / np.log(1.01)
    assert slope[0] == pytest.approx(2, abs=0.01)
    assert slope[2] == pytest.approx(0, abs=1e-6)
    at = temperature(results["T_saturation"][0])
    assert float(at["u"]) == pytest.approx(1)
    assert float(at["sigma_ratio"]) == pytest.approx(0.49362046, rel=1e-8)
    assert float(at["T_el_review"] / at["T_saturation"]) == pytest.approx(
        4 * np.pi * np.sqrt(50) / 1e-4
    )


def test_sigma_does_not_depend_on_what_separates_insulator_and_metal():
    slides, review = (temperature(50.0, {"transition": which}) for which in ("slides", "review"))
    assert slides["sigma"] == review["sigma"] > 0
    assert slides["growth"] < review["growth"]
    assert slides["T_c_review"] == pytest.approx(1 / (12 * 50 * 1e-4 * np.log(1e4)), rel=1e-12)
    assert temperature(50.0, C2=1.0)["T_c_review"] == pytest.approx(1e4 / np.log(1e4))


def test_heat_and_charge_obey_wiedemann_and_franz_when_hot():
    hot = temperature(1e7)
    assert hot["kappa"] / (1e7 * hot["sigma"]) == pytest.approx(np.pi**2 / 3, rel=1e-9)
    cold = temperature(5.0)
    assert cold["kappa"] / (5 * cold["sigma"]) == pytest.approx(
        np.pi**2 / 3 * cold["lorenz_ratio"], rel=1e-12
    )
    assert cold["lorenz_ratio"] == pytest.approx(1.6537, abs=3e-4)


def test_the_medium_matters_in_three_dimensions_only_when_cold():
    series, effective = (
        temperature([40.0, 1e6], {"medium": medium}, d=3.0)["sigma"]
        for medium in ("series", "effective")
    )
    assert effective[0] > 1.02 * series[0]
    assert effective[1] == pytest.approx(series[1], rel=1e-8)


def test_the_pade_form_stays_within_its_error_in_the_model():
    exact, fast = (
        temperature([10.0, 100.0], {"method": m})["kappa"] for m in ("quadrature", "pade")
    )
    np.testing.assert_allclose(fast, exact, rtol=6.2e-4)
    assert (fast != exact).all()


def test_what_float64_cannot_hold_is_outside_the_domain():
    results = temperature([1e-300, 1.0], lam=1e-200)
    assert results["status"].tolist() == [Status.OUTSIDE_DOMAIN] * 2
    assert np.isnan(results["T_in"]).all()
    assert temperature(1.0, zeta=1e300, d=3.0)["status"] == Status.DONE


def test_a_theory_of_weak_interaction_says_where_it_is_none():
    assert temperature(5.0)["regime_valid"] == 1
    assert temperature(0.5)["regime_valid"] == 0
    assert temperature(5.0, lam=0.1)["regime_valid"] == 0


def test_gamma_n_follows_the_growth():
    results = temperature(50.0, n=4.0)
    assert results["gamma_n"] == pytest.approx(results["growth"] ** 8, rel=1e-12)
