"""Cells one by one: those asked for, with everything that is known of them."""

import numpy as np
import pytest
import xarray as xr

import delocal
from delocal.service.cells import one_of, walk
from delocal.service.errors import NotFound, SelectionError

REQUEST = {
    "models": ["scaling"],
    "axes": {"alpha": [3, 4, 5], "beta": {"like": "alpha"}, "T": [1e-4, 1e-3]},
    "fixed": {"d": 2, "W": 1},
}


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return delocal.run(REQUEST, tmp_path_factory.mktemp("sweep") / "s", block_cells=2)


def test_every_cell_comes_once_with_its_parameters_and_values(tree):
    ds, found = tree["scaling"].to_dataset(), list(walk(tree["scaling"].to_dataset(), None, None))
    assert len(found) == 6
    meanings = dict(zip(ds.status.flag_values, ds.status.flag_meanings.split(), strict=True))
    for cell in found:
        expected = ds.sel(alpha=cell["alpha"], T=cell["T"])
        assert cell["beta"] == expected.beta.item()
        assert cell["status"] == meanings[expected.status.item()]
        np.testing.assert_equal(cell["kappa_sd"], expected.kappa_sd.item())
        np.testing.assert_equal(cell["kappa_sd_exponent"], expected.kappa_sd_exponent.values)


def test_only_blocks_with_a_cell_that_is_wanted_are_read(tree, monkeypatch):
    ds, read = tree["scaling"].to_dataset(), []
    load = xr.Dataset.load
    monkeypatch.setattr(xr.Dataset, "load", lambda self: (read.append(self), load(self))[1])
    [one, two] = walk(ds, ["outside_domain"], ["kappa_sd"])
    assert {one["alpha"], two["alpha"]} == {4.0}
    assert sum(part.sizes["alpha"] * part.sizes["T"] for part in read) == 2
    assert set(one) == {"alpha", "beta", "T", "d", "W", "t", "V", "rho", "status", "kappa_sd"}


def test_a_status_that_nobody_has_is_an_empty_list(tree):
    assert list(walk(tree["scaling"].to_dataset(), ["failed"], None)) == []


@pytest.mark.parametrize(
    ("statuses", "variables", "advice"),
    [(["don"], None, "did you mean 'done'"), (None, ["kapa_sd"], "did you mean 'kappa_sd'")],
)
def test_a_name_that_is_not_there_is_an_error_with_advice(tree, statuses, variables, advice):
    with pytest.raises(SelectionError, match=advice):
        walk(tree["scaling"].to_dataset(), statuses, variables)


def test_the_model_is_named_where_there_are_several():
    status = {"status": ("x", np.ones(2, "int8"))}
    one = xr.DataTree.from_dict({"a": xr.Dataset(status), "a_replicas": xr.Dataset(status)})
    assert one_of(one, None).identical(one["a"].to_dataset())
    two = xr.DataTree.from_dict({"a": xr.Dataset(status), "b": xr.Dataset(status)})
    with pytest.raises(SelectionError, match="say which: a, b"):
        one_of(two, None)
    with pytest.raises(NotFound, match="the sweep has no model 'c'"):
        one_of(two, "c")
    assert one_of(two, "b").identical(two["b"].to_dataset())
