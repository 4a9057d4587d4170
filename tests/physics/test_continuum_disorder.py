"""Random potentials in a continuum against quadrature, limits and finite differences."""

import itertools

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import j0

from delocal.physics import continuum_disorder as continuum
from delocal.physics.continuum_disorder import Continuum, localization_length, transport_time
from delocal.physics.powers import LogArray

SMOOTH = ("lorentz", "exponential")
GEOMETRIES = ("1d", "2d", "2d-field")
KINDS = list(itertools.product((*SMOOTH, "white"), GEOMETRIES))
QUICK = {"epsabs": 0, "epsrel": 1e-12, "limit": 400}


def transform(medium, q):
    return float(continuum.transform(medium, LogArray.of(q)).value)


@pytest.mark.parametrize("q", [0.3, 2.0, 9.0])
@pytest.mark.parametrize("disorder", SMOOTH)
def test_the_transform_of_the_correlator_in_one_dimension(disorder, q):
    medium = Continuum.of(disorder, "1d", w=0.7, d=0.6)

    def correlator(x):
        return float(continuum.correlator(medium, x))

    integral, error = quad(correlator, 0, np.inf, weight="cos", wvar=q, epsabs=1e-11, limit=400)
    assert 2 * integral == pytest.approx(transform(medium, q), rel=1e-9, abs=2 * error)
    assert 2 * quad(correlator, 0, np.inf)[0] == pytest.approx(0.7, rel=1e-8)


@pytest.mark.parametrize("r", [0.2, 1.0, 4.0])
@pytest.mark.parametrize("disorder", SMOOTH)
def test_the_correlator_of_the_transform_in_two_dimensions(disorder, r):
    medium = Continuum.of(disorder, "2d", w=0.7, d=0.6)
    if disorder == "lorentz":  # W(q) falls fast enough for the inverse transform
        back, _ = quad(lambda q: q * j0(q * r) * transform(medium, q), 0, 60, **QUICK)
        assert back / (2 * np.pi) == pytest.approx(continuum.correlator(medium, r), rel=1e-9)
    else:
        there, _ = quad(
            lambda x: 2 * np.pi * x * j0(x / r) * continuum.correlator(medium, x), 0, 25, **QUICK
        )
        assert there == pytest.approx(transform(medium, 1 / r), rel=1e-9)


def test_white_noise_is_what_smooth_disorder_becomes():
    eps = LogArray.of([0.5, 3.0])
    for disorder, geometry in itertools.product(SMOOTH, GEOMETRIES):
        white = localization_length(Continuum.of("white", geometry), eps)
        short = localization_length(Continuum.of(disorder, geometry, d=1e-12), eps)
        np.testing.assert_allclose(short.ln, white.ln, rtol=1e-10)
    assert continuum.correlator(Continuum.of("white"), [0.0, 1e-9]).tolist() == [np.inf, 0]


def test_backscattering_paths_have_their_closed_forms():
    m, w, d, eps = 1.3, 0.4, 0.7, 5.0
    eps_0 = 1 / (8 * m * d**2)
    exact = {"white": 1, "lorentz": np.exp(np.sqrt(eps / eps_0)), "exponential": 1 + eps / eps_0}
    for disorder, gain in exact.items():
        xi = localization_length(Continuum.of(disorder, m=m, w=w, d=d), LogArray.of(eps))
        assert float(xi.value) == pytest.approx(2 * eps / (m * w) * gain, rel=1e-13)


@pytest.mark.parametrize("kd", [1e-3, 0.5, 3.0, 29.9, 30.1, 80.0])
@pytest.mark.parametrize("disorder", SMOOTH)
def test_the_transport_rate_is_the_golden_rule_averaged_over_angles(disorder, kd):
    medium = Continuum.of(disorder, "2d", m=1.2, w=0.9, d=0.5)
    eps = (kd / 0.5) ** 2 / (2 * 1.2)

    def scattered(phi):
        q = 2 * kd / 0.5 * np.sin(phi / 2)
        return (1 - np.cos(phi)) * transform(medium, max(q, 1e-300))

    peak = [min(x / kd, 3.0) for x in (0.5, 2.0, 8.0)]
    mean = 2 * quad(scattered, 0, np.pi, points=peak, **QUICK)[0] / (2 * np.pi)
    tau = float(transport_time(medium, LogArray.of(eps)).value)
    assert 1 / tau == pytest.approx(1.2 * mean, rel=1e-11)


def test_smooth_disorder_scatters_less_by_a_power():
    """Below Eq. (21): tau is a power of eps, 3/2 with a logarithm for the exponential."""
    eps = LogArray.of([1e8, 1e12])
    lorentz = transport_time(Continuum.of("lorentz", "2d"), eps).ln
    correction = 6 / (8 * 0.25 * 1e8)  # F = 8/(pi s**3) [1 + 6/s**2 + ...], s**2 = 8 m d**2 eps
    assert np.diff(lorentz)[0] / np.log(1e4) == pytest.approx(1.5, abs=correction)
    exponential = transport_time(Continuum.of("exponential", "2d"), eps)
    s = np.sqrt(eps.value * 8 * 0.25)
    np.testing.assert_allclose(
        exponential.value * 0.5 * 4 / np.pi * (np.log(4 * s) - 1) / s**3, 1, rtol=1e-6
    )
    assert transport_time(Continuum.of("white", "2d", m=2.0, w=0.25), eps).value.tolist() == [2, 2]


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_growth_is_the_logarithmic_derivative(kind):
    medium = Continuum.of(*kind, m=1.1, w=1.7, d=0.4)
    ln_eps, h = np.log([0.03, 2.0, 15.0, 700.0]), 1e-5
    below, above = (localization_length(medium, LogArray(ln_eps + s * h)).ln for s in (-1, 1))
    growth = continuum.growth_of_length(medium, LogArray(ln_eps))
    np.testing.assert_allclose(growth, (above - below) / (2 * h), rtol=1e-8)
    assert (growth >= 1 if kind[1] == "1d" else growth > 0.5).all()


@pytest.mark.parametrize("kind", KINDS, ids="-".join)
def test_levels_lie_one_in_each_localization_volume(kind):
    medium, eps = Continuum.of(*kind), LogArray.of([0.7, 4.0])
    volume = localization_length(medium, eps) ** medium.D
    in_volume = continuum.level_spacing(medium, eps) * continuum.density_of_states(medium, eps)
    np.testing.assert_allclose((in_volume * volume).ln, 0, atol=1e-12)


def test_nothing_overflows_in_logarithms():
    eps = LogArray.of([1e-300, 1e-100, 1e6, 1e12])
    for kind in KINDS:
        medium = Continuum.of(*kind)
        for quantity in (localization_length(medium, eps), continuum.level_spacing(medium, eps)):
            assert np.isfinite(quantity.ln).all()
        assert np.isfinite(continuum.growth_of_length(medium, eps)).all()
