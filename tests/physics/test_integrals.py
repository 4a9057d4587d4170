"""The closed forms of the integrals (5), (34), (44), (59), (62) against quadrature."""

import numpy as np
import pytest
from scipy.integrate import dblquad, quad

from delocal.physics import conductivity as kappa
from delocal.physics import scales
from delocal.physics.parameters import spin_model
from delocal.physics.powers import LogArray

PSEUDOSPINS = [(1, 1.9, 1.7), (2, 3, 3), (2, 3, 2.5), (3, 3, 3), (3, 5, 3), (3, 4, 4)]
PSEUDO2SPINS = [(2, 5, 3), (3, 7, 5), (2, 8, 2.5), (1, 3, 1.8), (3, 9, 4)]


@pytest.mark.parametrize("point", [(2, 3, 3), (3, 4.5, 3), (1, 1.2, 1.1)], ids=str)
def test_total_resonances(point):
    p = spin_model(*point, T=1e-3, rho=0.6)
    spacing = -float(p.rho.ln) / point[0]
    integral, _ = quad(lambda x: np.exp(scales.resonant_spins(p, LogArray(x)).ln), spacing, np.inf)
    assert integral == pytest.approx(float(scales.integrated_resonant_spins(p).value), rel=1e-8)


@pytest.mark.parametrize("point", PSEUDOSPINS, ids=str)
def test_assisted_pseudospins(point):
    p = spin_model(*point, T=0.05, W=0.7)
    d, a, b = point
    low = float(scales.thermal_pseudospin_size(p).ln)
    high = float(scales.optimal_pseudospin_size(p).ln)
    assert low < high
    integral, _ = quad(lambda x: np.exp((d - 2 - 3 * a + 2 * b) * (x - high)), low, high)
    ratio = kappa.kappa_assisted_integral(p) / kappa.kappa_optimal(p)
    assert integral == pytest.approx(float(ratio.value), rel=1e-8)


def test_assisted_pseudospins_approach_the_leading_term():
    p = spin_model(2, 3, 3, T=1e-200)
    ratio = kappa.kappa_assisted_integral(p) / kappa.kappa_assisted(p)
    assert float(ratio.value) == pytest.approx(1 / 3)


@pytest.mark.parametrize("point", PSEUDOSPINS, ids=str)
def test_infrared_pseudospins(point):
    p = spin_model(*point, T=0.01)
    start = float(scales.optimal_pseudospin_size(p).ln)
    unit = kappa.kappa_optimal(p)

    def relative(x):
        return float((kappa.kappa_of_network(p, LogArray(np.float64(x))) / unit).value)

    integral, _ = quad(relative, start, np.inf)
    closed = kappa.kappa_infrared(p) / unit
    assert integral == pytest.approx(float(closed.value), rel=1e-7)


def test_infrared_pseudospins_diverge_against_45():
    assert kappa.kappa_infrared(spin_model(1, 1.05, 1.05, T=1e-3)).value == np.inf
    assert kappa.kappa_infrared_pseudo2(spin_model(1, 3, 1.05, T=1e-3)).value == np.inf


@pytest.mark.parametrize("point", PSEUDO2SPINS, ids=str)
def test_infrared_pseudo2spins(point):
    p = spin_model(*point, T=0.01)
    start = float(scales.optimal_pseudo2spin_size(p).ln)
    unit = kappa.kappa_optimal_pseudo2(p)

    def relative(x):
        return float((kappa.kappa_of_pseudo2_network(p, LogArray(np.float64(x))) / unit).value)

    integral, _ = quad(relative, start, np.inf)
    closed = kappa.kappa_infrared_pseudo2(p) / unit
    assert integral == pytest.approx(float(closed.value), rel=1e-7)


@pytest.mark.parametrize("point", PSEUDO2SPINS, ids=str)
def test_assisted_pseudo2spins(point):
    d, a, b = point
    p = spin_model(*point, T=0.3, W=0.5, t=0.1, V=0.3)
    R1_th = float(scales.thermal_pseudospin_size(p).ln)
    R2_th = float(scales.thermal_pseudo2spin_size(p).ln)
    R2_T = float(scales.optimal_pseudo2spin_size(p).ln)
    assert R2_th < R2_T
    s, q = b - d + 2, (a - 2 * d) * (d + 2 * b - 2) / d
    integral, _ = dblquad(
        lambda x1, x2: np.exp(q * (R1_th - x1) + s * (R2_T - x2)),
        R2_th,
        R2_T,
        R1_th,
        lambda x2: float(scales.pseudospin_size(p, LogArray(np.float64(x2))).ln),
        epsabs=0,
        epsrel=1e-9,
    )
    closed = kappa.kappa_assisted_pseudo2_integral(p) / kappa.kappa_optimal_pseudo2(p)
    assert integral == pytest.approx(float(closed.value), rel=1e-7)


@pytest.mark.parametrize("point", PSEUDO2SPINS, ids=str)
def test_assisted_pseudo2spins_approach_the_leading_term(point):
    """(59) -> (60) times (beta/alpha) / (s (s + c)): 1/24 at (2, 5, 3)."""
    d, a, b = point
    s, c = b - d + 2, (a - 2 * d) * (d + 2 * b - 2) * b / (a * d)
    p = spin_model(*point, T=1e-200)
    ratio = kappa.kappa_assisted_pseudo2(p) / kappa.kappa_assisted_pseudo2_integral(p)
    assert float(ratio.value) == pytest.approx(a / b * s * (s + c), rel=1e-9)
    assert point != (2, 5, 3) or a / b * s * (s + c) == pytest.approx(24)


def test_empty_integrals_are_nan():
    hot = spin_model(3, [3, 3], 3, T=[1e-3, 1e-3], W=[1.0, 1e-4])
    assert np.isnan(kappa.kappa_assisted_integral(hot).ln).tolist() == [False, True]
    hot = spin_model(2, 5, 3, T=[1e-3, 10.0], W=0.01)
    assert np.isnan(kappa.kappa_assisted_pseudo2_integral(hot).ln).tolist() == [False, True]
