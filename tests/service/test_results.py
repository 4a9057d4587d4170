"""Selections: by value, nearest, range, list; clear when they name what is not there."""

import numpy as np
import pytest
import xarray as xr

from delocal.service.errors import NotFound, SelectionError, TooLarge
from delocal.service.request import SweepRequest
from delocal.service.results import OpenDatasets, Selection, select, to_plain
from delocal.workers.block import run_block
from delocal.workers.local import run_plan
from delocal.workers.store import SweepStore

REQUEST = {
    "models": ["scaling"],
    "axes": {
        "alpha": {"linspace": [2.2, 6.0, 20]},
        "beta": {"like": "alpha"},
        "T": {"geomspace": [1e-6, 1e-2, 5]},
    },
    "fixed": {"d": 3, "W": 1},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return run_plan(SweepRequest.parse(REQUEST).plan(), tmp_path_factory.mktemp("sweep") / "s")


@pytest.fixture(scope="module")
def ds(store):
    return store.open_model("scaling")


def chosen(ds, **texts):
    return select(ds, ["kappa_sd"], {name: Selection.parse(t) for name, t in texts.items()})


def test_one_value_drops_its_dimension(ds):
    found = chosen(ds, alpha="3", T="1e-4")
    assert found.kappa_sd.shape == ()
    assert float(found.alpha) == pytest.approx(3)
    exact = ds.kappa_sd.sel(alpha=3, T=1e-4, method="nearest")
    assert float(found.kappa_sd) == float(exact)


def test_ranges_are_inclusive_and_open_at_either_end(ds):
    assert chosen(ds, T="1e-5:1e-3").sizes["T"] == 3
    assert chosen(ds, T=":1e-5").sizes["T"] == 2
    assert chosen(ds, T="1e-3:").sizes["T"] == 2
    assert chosen(ds, T=":").sizes["T"] == 5


def test_several_values_keep_the_order_asked(ds):
    assert chosen(ds, T="1e-3,1e-6").coords["T"].values.tolist() == [1e-3, 1e-6]


def test_a_zipped_coordinate_selects_along_its_dimension(ds):
    xr.testing.assert_identical(chosen(ds, beta="3"), chosen(ds, alpha="3"))


def test_a_value_that_is_not_there_names_its_neighbours(ds):
    with pytest.raises(SelectionError, match=r"no alpha = 3\.1 on the axis; nearest are 3"):
        chosen(ds, alpha="3.1")
    near = select(ds, ["z"], {"alpha": Selection.parse("3.09")}, nearest=True)
    assert float(near.alpha) == pytest.approx(3.0)


def test_coordinates_with_one_value_may_be_named(ds):
    xr.testing.assert_identical(chosen(ds, alpha="3", beta="3", W="1"), chosen(ds, alpha="3"))
    with pytest.raises(SelectionError, match="no beta = 4 on the axis"):
        chosen(ds, alpha="3", beta="4")


def test_labels_select_exponents(ds):
    found = select(
        ds, ["kappa_sd_exponent"], {"wrt": Selection.parse("T"), "alpha": Selection.parse("3")}
    )
    assert float(found.kappa_sd_exponent) == pytest.approx(4 / 3)
    with pytest.raises(SelectionError, match="wrt has labels, no range"):
        select(ds, ["kappa_sd_exponent"], {"wrt": Selection.parse(":")})
    with pytest.raises(SelectionError, match="no wrt = 'Q'"):
        select(ds, ["kappa_sd_exponent"], {"wrt": Selection.parse("Q")})


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({"W": "2"}, "no W = 2 on the axis"),
        ({"wrt": "a:b"}, "a range is written"),
        ({"T": "nan"}, "not a finite number"),
        ({"T": "inf"}, "not a finite number"),
        ({"gamma": "1"}, "no axis 'gamma'"),
        ({"T": "warm"}, "is not a finite number"),
        ({"T": "a:b"}, "a range is written 1e-6:1e-2"),
        ({"T": "1:2"}, "it runs from 1e-06 to 0.01"),
    ],
)
def test_mistakes_are_named(ds, texts, message):
    with pytest.raises(SelectionError, match=message):
        chosen(ds, **texts)


def test_an_unknown_variable_is_named_with_the_closest(ds):
    with pytest.raises(SelectionError, match="did you mean 'kappa_sd'"):
        select(ds, ["kapa_sd"], {})


def test_too_many_values_are_refused_before_they_are_read(ds):
    with pytest.raises(TooLarge, match=r"100 values .* at most 99"):
        select(ds, ["kappa_sd"], {}, max_values=99)


def test_plain_content_keeps_values_and_attributes(ds):
    plain = to_plain(chosen(ds, alpha="3"))
    assert plain["sizes"] == {"T": 5}
    assert plain["data"]["kappa_sd"]["dims"] == ["T"]
    assert "(77)" in plain["data"]["kappa_sd"]["attrs"]["equation"]
    assert np.array_equal(plain["data"]["kappa_sd"]["values"], chosen(ds, alpha="3").kappa_sd)


def test_what_is_read_early_is_read_again(tmp_path):
    plan = SweepRequest.parse(REQUEST).plan(block_cells=50)
    store = SweepStore(tmp_path / "s")
    store.create(plan)
    kept = OpenDatasets().get(store, None)
    assert select(kept, ["kappa_sd"], {}).kappa_sd.isnull().all()
    for block in plan.parts[0].blocks:
        run_block(store, "scaling", block)
    assert select(kept, ["kappa_sd"], {}).kappa_sd.notnull().any()


def test_datasets_stay_open_and_are_found_by_model(store):
    kept = OpenDatasets()
    assert kept.get(store, None) is kept.get(store, "scaling")
    assert not kept.get(store, None).chunks  # reading through dask takes several times as long
    with pytest.raises(NotFound, match="did you mean 'scaling'"):
        kept.get(store, "scalin")
