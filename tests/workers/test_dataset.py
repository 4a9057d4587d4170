"""`evaluate`: arrays of any dimensions, by name, give what each point alone gives."""

import re
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from delocal.physics.models import load_models
from delocal.workers.dataset import Layout, evaluate

POINT = {"d": 2, "alpha": 3.0, "beta": 3.0, "T": 1e-3, "W": 1.0}


@pytest.fixture(autouse=True)
def models(install, toy):
    install(toy, load_models()["scaling"])


def test_numbers_give_a_dataset_without_dimensions():
    ds = evaluate("toy", x=1, n=2)
    assert ds.energy.shape == ds.status.shape == ()
    assert float(ds.energy) == 2.0 * 2.5 * np.exp(-1.0)
    assert ds.slopes.dims == ("wrt",)
    assert {name: float(ds[name]) for name in ("x", "n", "scale")} == {"x": 1, "n": 2, "scale": 2}


def test_arrays_make_dimensions_and_dataarrays_broadcast_by_name():
    x = xr.DataArray([[0.5, 1.5, 2.5], [1.0, 2.0, 7.0]], dims=("sample", "place"))
    scale = xr.DataArray([1.0, 2.0, 3.0], dims="place", coords={"place": [10, 20, 30]})
    ds = evaluate("toy", x=x, scale=scale, n=[1, 3, 5, 7])
    assert ds.sizes == {"sample": 2, "place": 3, "n": 4, "wrt": 2}
    for at in np.ndindex(2, 3, 4):
        here = dict(zip(("sample", "place", "n"), at, strict=True))
        cell = ds.isel(here)
        alone = evaluate("toy", x=float(cell.x), n=float(cell.n), scale=float(cell.scale))
        for name in alone.data_vars:
            assert cell[name].values.tobytes() == alone[name].values.tobytes(), (name, here)


def test_a_variable_has_only_the_dimensions_of_what_it_depends_on():
    x = xr.DataArray([0.5, 1.5], dims="place")
    n = xr.DataArray([[1, 2], [3, 4], [5, 6]], dims=("row", "column"))
    ds = evaluate("toy", x=x, n=n)
    assert set(ds.energy.dims) == set(ds.status.dims) == {"place", "row", "column"}
    assert ds.slopes.dims == ("row", "column", "wrt")
    assert ds.parity.dims == ("row", "column")
    assert ds.spacing.dims == ()
    assert ds.parity.dtype == "int8"
    np.testing.assert_array_equal(ds.parity, n % 2)
    np.testing.assert_array_equal(ds.slopes.sel(wrt="scale"), n + 0.5)


def test_zipped_parameters_share_a_dimension():
    ds = evaluate("toy", x=[0.5, 1.5], n=xr.DataArray([1, 2], dims="x"))
    assert ds.energy.dims == ("x",)
    np.testing.assert_array_equal(ds.energy, 2 * np.array([1.5, 2.5]) * np.exp([-0.5, -1.5]))
    assert ds.n.dims == ("x",)


def test_points_outside_the_domain_have_a_status():
    ds = evaluate("toy", x=[4.0, 5.0, 6.0], n=1)
    assert ds.status.values.tolist() == [1, 1, 2]
    assert np.isnan(ds.energy).values.tolist() == [False, False, True]


def test_optional_parameters_bring_their_variables():
    assert "filling" not in evaluate("toy", x=1, n=1)
    assert "filling" not in evaluate("toy", x=1, n=1, size=None)
    assert float(evaluate("toy", x=2, n=1, size=3).filling) == 6.0


def test_options_are_given_by_name():
    assert float(evaluate("toy", x=0, n=1, zero_point="no").energy) == 2.0
    assert float(evaluate("toy", x=0, n=1, zero_point="yes").energy) == 3.0
    with pytest.raises(ValueError, match="zero_point: 'half' is not one of yes, no"):
        evaluate("toy", x=0, n=1, zero_point="half")


def test_attributes_say_what_is_what():
    ds = evaluate("toy", x=[1.0], n=2)
    assert ds.attrs["model"] == "toy"
    assert ds.energy.attrs == {
        "long_name": "energy of the level",
        "units": "energy",
        "equation": "No paper (2000), Eq. (1)",
    }
    assert ds.parity.attrs["flag_meanings"] == "even odd"
    assert ds.n.attrs == {"long_name": "level", "units": "1"}
    assert (ds.n.dtype, ds.x.dtype) == ("int64", "float64")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"y": 1}, "model 'toy' has no parameter y; it takes x, n, scale, size"),
        ({"x": None}, "model 'toy' needs x: place"),
        ({"x": -1}, "x = -1 is not allowed: finite number, 0 <= x <= 10"),
        ({"x": [1, 2, 11]}, "x = 11 is not allowed"),
        ({"x": [[np.nan]]}, "x has 2 dimensions without names"),
        ({"x": np.nan}, "x = nan is not allowed"),
        ({"x": xr.DataArray([[1.0], [np.inf]], dims=("a", "b"))}, "x = inf is not allowed"),
        ({"n": 1.5}, "n = 1.5 is not allowed: whole number, 1 <= n <= 9"),
        ({"n": [1, 2, 10]}, "n = 10 is not allowed"),
        ({"scale": 0}, "scale = 0 is not allowed: finite number, 0 < scale"),
        ({"x": "much"}, "x is neither a number nor an array"),
        ({"x": 1j}, "x is neither a number nor an array"),
        ({"x": {"a": 1}}, "x is neither a number nor an array"),
        ({"x": [1.0, 2.0], "n": xr.DataArray([1, 2, 3], dims="x")}, "dimension 'x'"),
        (
            {
                "x": xr.DataArray([1.0, 2.0], {"place": [1, 2]}, "place"),
                "n": xr.DataArray([1, 2], {"place": [2, 3]}, "place"),
            },
            "place",
        ),
        ({"x": xr.DataArray([1.0, 2.0], dims="wrt")}, "rename dimension wrt"),
        ({"x": xr.DataArray([1.0, 2.0], dims="energy")}, "rename dimension energy"),
    ],
)
def test_what_is_wrong_is_named(wrong, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        evaluate("toy", **{"x": 1, "n": 1, **wrong})


def test_unknown_model():
    with pytest.raises(ValueError, match="no model 'tou'; known: toy, scaling"):
        evaluate("tou", x=1)


def test_an_array_may_be_the_models_own(toy, install):
    """A model may return one array twice, or what it keeps: the dataset has copies."""
    kept = np.arange(3.0)
    energy = toy.variables[1]

    def evaluate_kept(parameters, options):
        return {"status": np.int8(1), "energy": kept, "again": kept}

    variables = (toy.variables[0], energy, replace(energy, name="again"))
    install(replace(toy, variables=variables, evaluate=evaluate_kept))
    ds = evaluate("toy", x=[1.0, 2.0, 3.0], n=1)
    ds.energy[0] = 100.0
    assert ds.again.values.tolist() == kept.tolist() == [0.0, 1.0, 2.0]


def test_a_model_may_not_vary_where_its_variable_does_not(toy, install):
    def varies(parameters, options):
        return {**toy.evaluate(parameters, options), "spacing": parameters["x"]}

    install(replace(toy, evaluate=varies))
    with pytest.raises(ValueError, match="broadcast"):
        evaluate("toy", x=[1.0, 2.0], n=1)


@pytest.mark.parametrize("shape", [(), (1,), (3, 2)])
def test_what_fits_is_writable_contiguous_and_of_its_type(toy, shape):
    dims = ("x", "n")[: len(shape)]
    layout = Layout(dict(zip(dims, shape, strict=True)), {d: (d,) for d in dims}, toy.coordinates)
    fitted = layout.fit(toy.variables[0], np.asarray(2.0))
    assert (fitted.shape, fitted.dtype) == (shape, "int8")
    assert fitted.flags.writeable
    assert fitted.flags.c_contiguous
    assert (fitted == 2).all()


def test_the_scaling_theory_at_a_point_and_on_a_plane():
    plane = evaluate("scaling", **{**POINT, "T": [1e-4, 1e-3], "alpha": [3.0, 4.0, 9.0]})
    for T in range(2):
        for alpha in range(3):
            cell = plane.isel(T=T, alpha=alpha)
            alone = evaluate(
                "scaling", **{**POINT, "T": float(cell["T"]), "alpha": float(cell.alpha)}
            )
            for name in alone.data_vars:
                assert cell[name].dtype == alone[name].dtype
                np.testing.assert_allclose(cell[name], alone[name], rtol=1e-13, err_msg=name)
    assert plane.region.dims == ("alpha",)
    assert plane.kappa_sd_exponent.dims == ("alpha", "wrt")
