"""Fits and thresholds: exact laws are found exactly, noisy ones within their error bars."""

import numpy as np
import pytest
import xarray as xr

from delocal.physics.disorder import Ensemble, stream
from delocal.physics.networks import CUT
from delocal.service.analysis import fit_exponent, percolation_threshold
from delocal.service.errors import SelectionError
from delocal.service.run import run
from delocal.workers.dataset import evaluate
from tests.physics.measured import find_threshold

T = np.geomspace(1e-6, 1e-2, 30)


def test_the_fit_finds_the_declared_exponent():
    ds = evaluate("scaling", d=2, alpha=3, beta=3, T=T, W=1)
    fit = fit_exponent(ds, "kappa_sd", "T")
    assert fit.exponent == pytest.approx(3, abs=1e-9)
    assert fit.stderr < 1e-9
    assert fit.points == 30


def test_the_fit_uses_logarithms_where_values_underflow():
    ds = evaluate("scaling", d=2, alpha=10, beta=3.9, T=T, W=1)
    assert (ds.kappa_sd2 == 0).sum() > 20
    assert fit_exponent(ds, "kappa_sd2", "T").exponent == pytest.approx(507 / 5)


def test_the_error_bar_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(400):
        y = T**1.5 * np.exp(0.1 * rng.standard_normal(T.size))
        fit = fit_exponent(xr.Dataset({"y": ("T", y)}, {"T": T}), "y", "T")
        inside += abs(fit.exponent - 1.5) < 2.048 * fit.stderr  # Student t, 28 degrees, 95 %
    assert 400 * 0.95 - 4 * np.sqrt(400 * 0.05 * 0.95) < inside < 400  # four standard deviations


def test_what_cannot_be_fitted_is_said():
    ds = evaluate("scaling", d=[2, 3], alpha=3, beta=3, T=T, W=1)
    with pytest.raises(SelectionError, match="select one value of d"):
        fit_exponent(ds, "kappa_sd", "T")
    with pytest.raises(SelectionError, match="a fit needs 3"):
        fit_exponent(ds.isel(d=0, T=[0, 1]), "kappa_sd", "T")


def corrected(rng, error):
    """R1 = 2 T**-0.7 (1 - 0.5 N1), with N1 up to 0.1 and relative errors."""
    N1 = 0.1 * (T / T[-1]) ** 0.3
    y = 2 * T**-0.7 * (1 - 0.5 * N1) * (1 + error * rng.standard_normal(T.size))
    return xr.Dataset({"R1": ("T", y), "R1_stderr": ("T", error * y), "N1": ("T", N1)}, {"T": T})


def test_a_correction_is_fitted_with_errors_that_cover_the_truth():
    rng = np.random.default_rng(7)
    fits = [fit_exponent(corrected(rng, 1e-3), "R1", "T", correction="N1") for _ in range(200)]
    pulls = np.array([(f.exponent + 0.7) / f.stderr for f in fits])
    others = np.array([(f.coefficient + 0.5) / f.coefficient_stderr for f in fits])
    for values in (pulls, others):
        assert abs(values.mean()) < 4 / np.sqrt(200)
        assert abs(values.std() - 1) < 4 / np.sqrt(400)
    assert np.mean([f.chi2 for f in fits]) == pytest.approx(1, abs=4 * np.sqrt(2 / 27 / 200))


def test_without_its_correction_the_exponent_is_off():
    fit = fit_exponent(corrected(np.random.default_rng(8), 1e-4), "R1", "T")
    assert abs(fit.exponent + 0.7) > 20 * fit.stderr
    assert fit.chi2 > 10


def test_the_exact_exponent_stands_beside_the_fit():
    ds = evaluate("scaling", d=2, alpha=3, beta=3, T=T, W=1)
    assert fit_exponent(ds, "kappa_sd", "T").exact == 3
    plain = fit_exponent(corrected(np.random.default_rng(9), 1e-3), "R1", "T")
    assert np.isnan(plain.exact)
    assert np.isnan(plain.coefficient)


def test_a_threshold_is_found_from_the_replicas_of_a_sweep():
    request = {
        "models": ["percolation"],
        "axes": {"box": [8, 24]},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "density": 1.475, "width": 0.1},
        "options": {"percolation": {"interaction": "cut"}},
        "sampling": {"replicas": 300},
    }
    tree = run(request)
    found = percolation_threshold(tree, "either")
    assert abs(found.degree.value - 4.512) < 4 * found.degree.stderr < 0.5
    assert abs(found.crossing.value - 0.6905) < 4 * found.crossing.stderr
    assert found.peak.value == pytest.approx(3.306 * found.density.value, rel=1e-3)
    same = find_threshold(
        Ensemble(2, 3, 3, T=1e-3, W=20),
        1e3,
        (8, 24),
        np.linspace(1.35, 1.6, 9),
        (300, 300),
        lambda n: stream("another", n),
        interaction=CUT,
        kind="either",
    )
    apart = found.density.value - same.density.value
    assert abs(apart) < 4 * np.hypot(found.density.stderr, same.density.stderr)
    with pytest.raises(SelectionError, match="did you mean 'either'"):
        percolation_threshold(tree, "eithr")
    alone = run({**request, "axes": {"box": [8]}, "sampling": {"replicas": 2}})
    with pytest.raises(SelectionError, match="two values of `box`"):
        percolation_threshold(alone)
