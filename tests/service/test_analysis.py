"""Fits: an exact power law is found exactly, a noisy one within its error bar."""

import numpy as np
import pytest
import xarray as xr

from delocal.service.analysis import fit_exponent
from delocal.service.errors import SelectionError
from delocal.workers.dataset import evaluate

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
