"""The law of the linewidths: Levy's, order by order, and the Gaussian of the metal."""

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.optimize import minimize_scalar

import delocal
from delocal.physics import linewidths, scba
from delocal.physics.models import load_models
from delocal.physics.powers import LogArray

SCALES = [0.117649, 1.0, 40.0]


def model(**changes):
    values = {"Gamma": 1.0, "T_over_Tc": 0.7, "n": 1.0, "eta": 1.0, "C1": 1.0, **changes}
    arrays = {name: np.asarray(value, dtype=np.float64) for name, value in values.items()}
    return load_models()["linewidths"].evaluate(arrays, {})


@pytest.mark.parametrize("gamma", SCALES)
def test_it_is_levys_law(gamma):
    law, Gamma = stats.levy(scale=2 * gamma), gamma * np.geomspace(0.05, 1e4, 30)
    np.testing.assert_allclose(linewidths.density(Gamma, gamma), law.pdf(Gamma), rtol=1e-12)
    np.testing.assert_allclose(linewidths.cumulative(Gamma, gamma), law.cdf(Gamma), rtol=1e-12)
    np.testing.assert_allclose(linewidths.survival(Gamma, gamma), law.sf(Gamma), rtol=1e-12)


@pytest.mark.parametrize("gamma", SCALES)
def test_it_is_normalised_and_its_transform_is_that_of_a_stable_law(gamma):
    """In z = Gamma**(-1/2), where the integrand is smooth."""

    def transform(s):
        return quad(
            lambda z: 2 * z**-3 * np.exp(-s / z**2) * linewidths.density(z**-2, gamma),
            0,
            20 / np.sqrt(gamma),
            epsabs=0,
            epsrel=1e-12,
        )[0]

    assert transform(0.0) == pytest.approx(1, abs=1e-13)
    for s in (0.1, 1.0):
        expected = float(linewidths.laplace_transform(s, gamma))
        assert transform(s) == pytest.approx(expected, rel=1e-9)


def test_of_many_widths_one_decides():
    """The sum of k widths is distributed as k**2 of one: exactly, and for samples."""
    k, rng = 4, np.random.default_rng(5)
    s = np.geomspace(1e-3, 1e3, 20)
    np.testing.assert_allclose(
        linewidths.laplace_transform(s, 0.5) ** k, linewidths.laplace_transform(s, 0.5 * k**2)
    )
    total = linewidths.quantile(rng.random((20_000, k)), 0.5).sum(axis=1)
    law = stats.kstest(total, lambda Gamma: linewidths.cumulative(Gamma, 0.5 * k**2))
    assert law.pvalue > 1e-3


def test_moments_that_exist_and_one_that_does_not():
    found = minimize_scalar(
        lambda x: -linewidths.density(x, 3.0), bracket=(1, 2, 4), options={"xtol": 1e-9}
    )
    assert found.x == pytest.approx(3 * linewidths.MODE, rel=1e-6)
    assert float(linewidths.cumulative(3 * linewidths.MEDIAN, 3.0)) == pytest.approx(0.5)
    assert linewidths.quantile([0.0, 1.0], 3.0).tolist() == [0.0, np.inf]
    mean = [quad(lambda x: linewidths.survival(x, 3.0), 0, upper)[0] for upper in (1e3, 4e3)]
    assert mean[1] / mean[0] == pytest.approx(2, rel=0.05)  # int survival ~ sqrt(upper)


def test_the_tail_has_the_square_root_of_eta():
    """Where the slides print eta: a bath four times as strong doubles the tail."""
    Gamma = np.array([1e9, 4e9])
    tails = [model(Gamma=Gamma, eta=eta)["P_n"] for eta in (1e-3, 4e-3)]
    np.testing.assert_allclose(tails[1] / tails[0], 2, rtol=1e-9)
    assert np.log2(tails[0][1] / tails[0][0]) / 2 == pytest.approx(-1.5, abs=1e-9)


def test_widths_shrink_below_and_grow_above_the_transition():
    n = np.arange(5.0)
    cold, hot = model(n=n)["gamma_n"], model(n=n, T_over_Tc=1.3)["gamma_n"]
    np.testing.assert_allclose(cold, 0.49**n)
    np.testing.assert_allclose(hot, 1.69**n)
    assert model()["metal"] == 0
    assert model(T_over_Tc=1.3)["metal"] == 1
    assert model(T_over_Tc=1.0, n=1000.0)["gamma_n"] == 1


def test_the_limits_of_order_and_bath_do_not_commute():
    """First n -> infinity: all widths exceed any Gamma in the metal, none in the insulator."""
    above = {T: float(model(n=1e4, T_over_Tc=T, eta=1e-300)["survival"]) for T in (0.7, 1.3)}
    assert above == {0.7: 0.0, 1.3: 1.0}
    assert float(model(n=2.0, T_over_Tc=1.3, eta=1e-300)["survival"]) < 1e-100


def test_logarithms_hold_where_the_numbers_do_not():
    far = model(Gamma=1e-3, n=0.0)
    assert far["P_n"] == 0
    assert far["log10_P_n"] == pytest.approx(
        (-1000 - np.log(np.pi) / 2 + 4.5 * np.log(10)) / np.log(10)
    )
    assert far["log10_cumulative"] == pytest.approx(
        (-1000 - np.log(np.pi * 1000) / 2) / np.log(10), rel=1e-6
    )
    tiny = linewidths.log_survival(1.0, LogArray(np.array([-2000.0, -30.0])))
    np.testing.assert_allclose(tiny, np.array([-1000, -15]) + np.log(2 / np.sqrt(np.pi)), rtol=1e-9)


def test_widths_in_the_metal_are_gaussian_and_narrow():
    p, T = scba.Grains(lam=1e-3, M=20), 500.0
    mean, spread = float(scba.mean_inelastic_width(p, T)), float(scba.inelastic_width_spread(p))
    law, Gamma = stats.norm(mean, spread), mean * np.linspace(0.1, 3, 20)
    np.testing.assert_allclose(
        linewidths.metallic_density(Gamma, mean, spread), law.pdf(Gamma), rtol=1e-12
    )
    swept = delocal.evaluate("linewidths", Gamma=Gamma, T_over_Tc=9.0, mean=mean, spread=spread)
    np.testing.assert_allclose(swept.P_metal, law.pdf(Gamma), rtol=1e-12)
    assert "P_metal" not in delocal.evaluate("linewidths", Gamma=Gamma, T_over_Tc=9.0)
    assert spread / mean == pytest.approx(float(scba.inelastic_temperature(p) / T), rel=1e-12)
