"""Fits of datasets: in every cell at once, from what counts, beside the exact exponent."""

import numpy as np
import pytest
import xarray as xr

from delocal.physics.model import Status
from delocal.service.errors import SelectionError, TooLarge
from delocal.service.fits import fit, parse_window, refuse_dear
from delocal.service.run import run
from delocal.workers.dataset import evaluate

T = np.geomspace(1e-6, 1e-2, 30)
PLANE = {"d": [2, 3], "alpha": [3.0, 3.5], "beta": 3.0, "W": [1.0, 2.0]}


@pytest.fixture(scope="module")
def plane():
    return evaluate("scaling", **PLANE, T=T)


def estimate(error=0.01, seed=1):
    """Return R1 = 2 T**-1 for two W, with errors and a status."""
    rng = np.random.default_rng(seed)
    y = 2 / T * np.exp(error * rng.standard_normal((2, T.size)))
    return xr.Dataset(
        {
            "R1": (("W", "T"), y, {"units": "length"}),
            "R1_stderr": (("W", "T"), error * y),
            "R1_exponent": ("wrt", [-1.0, 1.0]),
            "status": (("W", "T"), np.full(y.shape, Status.DONE, np.int8)),
        },
        {"T": ("T", T, {"units": "energy"}), "W": [1.0, 2.0], "wrt": ["T", "W"]},
    )


def test_every_cell_has_the_exponent_of_the_theory(plane):
    found = fit(plane, "kappa_sd", "T")
    assert found.exponent.dims == ("d", "alpha", "W")
    xr.testing.assert_allclose(found.exponent, found.exact)
    assert found.exact.sel(d=2, alpha=3, W=1) == 3
    assert found.exact.sel(d=3, alpha=3, W=1) == pytest.approx(4 / 3)
    assert (found.points == 30).all()
    assert np.isnan(found.sigmas).all()  # no error bars, no sigma
    assert float(found.window_low.min()) == T[0]
    assert found.attrs["law"] == "kappa_sd = a T^exponent"


def test_one_fit_of_all_cells_is_the_same_as_a_fit_of_each(plane):
    found = fit(plane, "rate_ps", "T", window=(1e-5, None))
    for cell in ({"d": 2, "alpha": 3.0, "W": 1.0}, {"d": 3, "alpha": 3.5, "W": 2.0}):
        alone = fit(plane.sel(cell), "rate_ps", "T", window=(1e-5, None))
        xr.testing.assert_allclose(found.sel(cell), alone)


def test_logarithms_are_used_where_values_underflow():
    ds = evaluate("scaling", d=2, alpha=10, beta=3.9, T=T, W=1)
    assert (ds.kappa_sd2 == 0).sum() > 20
    assert fit(ds, "kappa_sd2", "T").exponent == pytest.approx(507 / 5)


def test_the_prefactor_is_that_of_the_law(plane):
    found = fit(plane, "kappa_sd", "T")
    law = found.log10_prefactor + found.exponent * np.log10(T[7])
    xr.testing.assert_allclose(
        law, plane.log10_kappa_sd.isel(T=7, drop=True), check_dim_order=False
    )


def test_cells_outside_the_domain_are_nan_and_do_not_disturb_the_others():
    beta = xr.DataArray([3.0, 4.0], dims="alpha")
    ds = evaluate("scaling", d=2, alpha=[3, 4], beta=beta, T=T, W=1)
    found = fit(ds, "kappa_sd", "T")
    assert found.points.values.tolist() == [30, 0]
    assert np.isfinite(found.exponent).values.tolist() == [True, False]
    assert np.isnan(found.window_low[1])


def test_a_fit_over_a_coordinate_that_is_no_dimension():
    cases = {"T": xr.DataArray(T, dims="case"), "W": xr.DataArray(T * 100, dims="case")}
    ds = evaluate("scaling", d=2, alpha=3, beta=3, **cases)
    assert fit(ds, "kappa_sd", "T").exponent == pytest.approx(3 - 6)  # W goes with T


def test_temperatures_in_any_order_give_the_same(plane):
    backwards = fit(plane.isel(T=slice(None, None, -1)), "kappa_sd", "T")
    xr.testing.assert_identical(backwards, fit(plane, "kappa_sd", "T"))


def test_error_bars_give_sigmas():
    found = fit(estimate(), "R1", "T")
    expected = (found.exponent + 1) / found.exponent_stderr
    xr.testing.assert_allclose(found.sigmas, expected, check_dim_order=False)
    assert (abs(found.sigmas) < 4).all()
    assert (found.p_value > 1e-4).all()
    assert found.window_low.attrs["units"] == "energy"


def test_only_cells_that_count_are_fitted():
    ds = estimate()
    ds.status[0, :3] = Status.FAILED
    ds.status[0, 3:5] = Status.NOT_CONVERGED  # an estimate has an error bar that says so
    ds.R1[1, 7] = -1.0
    assert fit(ds, "R1", "T").points.values.tolist() == [27, 29]
    exact = ds.drop_vars("R1_stderr")
    assert fit(exact, "R1", "T").points.values.tolist() == [25, 29]


def test_local_slopes_stand_beside_the_fit(plane):
    found = fit(plane, "kappa_sd", "T")
    assert found.local_slope.dims == ("d", "alpha", "W", "interval")
    slope = found.local_slope.isel(interval=3).drop_vars("middle")
    xr.testing.assert_allclose(slope, found.exact, rtol=1e-9)
    np.testing.assert_allclose(found.middle, np.sqrt(T[1:] * T[:-1]))


@pytest.mark.parametrize("correction", ["N1", "T^0.3", ["T^0.3"]])
def test_a_correction_is_a_variable_or_a_power(correction):
    N1 = (T / T[-1]) ** 0.3
    ds = xr.Dataset({"R1": ("T", T**-0.7 * (1 - 0.05 * N1)), "N1": ("T", N1)}, {"T": T})
    found = fit(ds, "R1", "T", correction=correction)
    assert found.exponent == pytest.approx(-0.7, abs=1e-9)
    scale = 1 if correction == "N1" else T[-1] ** 0.3
    assert found.coefficient.item() * scale == pytest.approx(-0.05, abs=1e-9)
    assert "(1 + c1" in found.attrs["law"]
    assert abs(fit(ds, "R1", "T").difference.fillna(1)) == 1  # nothing exact to compare with


def test_a_window_by_hand_and_by_rule():
    ds = estimate()
    ds["R1"] = ds.R1 * (1 + T / 1e-3)
    ds["R1_stderr"] = ds.R1_stderr * (1 + T / 1e-3)
    by_hand = fit(ds, "R1", "T", window=(T[3], 1e-4))
    assert by_hand.window_low.values == pytest.approx([T[3]] * 2)
    assert (by_hand.window_high <= 1e-4).all()
    assert by_hand.attrs["rule"].startswith("T from 2.59")
    by_rule = fit(ds, "R1", "T", window="low")
    assert (abs(by_rule.sigmas) < 4).all()
    assert (by_rule.window_low == T[0]).all()
    assert (by_rule.window_high < 5e-4).all()
    assert "towards the smallest T" in by_rule.attrs["rule"]
    assert (abs(fit(ds, "R1", "T").sigmas) > 10).all()


def test_points_without_a_logarithm_and_points_at_one_place_are_borne():
    x = np.array([-1.0, 0.0, 1.0, 2.0, 2.0, 4.0, 8.0])
    with np.errstate(invalid="ignore"):
        ds = xr.Dataset({"y": ("case", 3 * x**2)}, {"x": ("case", x)})
    found = fit(ds, "y", "x", correction="x^-1")
    assert found.points == 5
    assert found.exponent == pytest.approx(2)
    assert found.window_low == 1
    assert np.isfinite(found.local_slope).values.tolist() == [False, False, True, False, True, True]
    np.testing.assert_allclose(found.middle[2:], np.sqrt([2, 4, 8, 32]))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("kapa_sd", "T"), "did you mean 'kappa_sd'"),
        (("kappa_sd", "Tt"), "no axis 'Tt'"),
        (("region", "T"), "region varies along d, alpha; a fit over T"),
        (("kappa_sd", "beta"), "varies along d, alpha, T, W; a fit over beta"),
        (("kappa_sd", "W"), "2 points over W .* a fit needs 3"),
    ],
)
def test_what_cannot_be_fitted_is_said(plane, arguments, message):
    with pytest.raises(SelectionError, match=message):
        fit(plane, *arguments)


def test_wrong_corrections_and_windows_are_said(plane):
    with pytest.raises(SelectionError, match=r"correction 'N1\^x' is neither"):
        fit(plane, "kappa_sd", "T", correction="N1^x")
    with pytest.raises(SelectionError, match="none of: two ends"):
        fit(plane, "kappa_sd", "T", window="all")
    with pytest.raises(SelectionError, match=r"0 points over T .* within the window"):
        fit(plane, "kappa_sd", "T", window=(1.0, 2.0))
    for text in ("1", "1,2,3", "a,b"):
        with pytest.raises(SelectionError, match="write two ends such as"):
            parse_window(text)


def test_too_many_windows_for_one_answer_are_refused():
    ds = xr.Dataset({"y": (("W", "T"), np.ones((1000, 1000)))}, {"T": np.arange(1000.0)})
    with pytest.raises(TooLarge, match="at most 5,000,000"):
        refuse_dear(ds, "y", "T", "low")
    refuse_dear(ds, "y", "T", None)


def test_a_lazy_dataset_is_not_read_more_than_needed(tmp_path):
    request = {
        "models": ["scaling"],
        "axes": {"T": T},
        "fixed": {"d": 2, "alpha": 3, "beta": 3, "W": 1},
    }
    ds = run(request, tmp_path / "sweep")["scaling"].to_dataset()
    assert fit(ds, "kappa_sd", "T").exponent == pytest.approx(3)
    assert not ds.variables["kappa_sd"]._in_memory
