"""A dataset as rows: in the order of the cells, whatever boxes they are read by."""

import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from delocal.service import formats
from delocal.service.errors import SelectionError, TooLarge
from delocal.service.formats import Format, Page, as_arrow, as_csv, chosen_format, columns_of
from delocal.service.request import SweepRequest
from delocal.service.results import Selection, choose
from delocal.service.rows import Table, runs
from delocal.workers.local import run_plan

REQUEST = {
    "models": ["scaling"],
    "axes": {
        "d": [2, 3],
        "alpha": {"linspace": [1, 6, 5]},
        "beta": {"like": "alpha"},
        "T": {"geomspace": [1e-6, 1e-2, 7]},
    },
    "fixed": {"W": 1},
}


@pytest.fixture(scope="module")
def ds(tmp_path_factory):
    plan = SweepRequest.parse(REQUEST).plan(block_cells=10)
    return run_plan(plan, tmp_path_factory.mktemp("sweep") / "s").open_model("scaling")


@pytest.fixture
def table(ds):
    return Table(ds[["kappa_sd", "region", "kappa_sd_exponent"]], ("d", "alpha", "T"))


@given(st.lists(st.integers(1, 5), min_size=0, max_size=4), st.data())
def test_runs_hold_every_element_once_and_in_order(shape, data):
    size = int(np.prod(shape))
    start = data.draw(st.integers(0, size))
    stop = data.draw(st.integers(start, size))
    most = data.draw(st.integers(1, size + 1))
    array = np.arange(size).reshape(shape)
    boxes = list(runs(tuple(shape), start, stop, most))
    found = [array[box].ravel() for box in boxes]
    assert all(0 < part.size <= most for part in found)
    assert np.concatenate([*found, []]).tolist() == list(range(start, stop))
    smallest = 1 + 2 * len(shape) + size // most * 2
    assert len(boxes) <= smallest


def test_a_row_is_a_cell_with_its_coordinates(table, ds):
    batch = table.read({"d": slice(1, 2), "alpha": slice(2, 4), "T": slice(0, 7)})
    assert list(batch)[:3] == ["d", "alpha", "T"]
    assert "wrt" not in batch
    here = ds.isel(d=1, alpha=slice(2, 4))
    assert batch["T"].tolist() == [*ds["T"].values] * 2
    assert batch["beta"].tolist() == np.repeat(here.beta.values, 7).tolist()
    np.testing.assert_array_equal(batch["kappa_sd"], here.kappa_sd.values.ravel())
    exponents = here.kappa_sd_exponent.sel(wrt="T").values
    np.testing.assert_array_equal(batch["kappa_sd_exponent_T"], np.repeat(exponents, 7))


def test_pages_are_the_rows_of_the_whole(table):
    whole = columns_of(Page(table))
    pages, after = [], 0
    while after is not None:
        page = Page(table, after, 9)
        pages.append(columns_of(page)["columns"])
        after = page.next
    assert len(pages) == 8  # of 70 rows
    for name, values in whole["columns"].items():
        together = np.concatenate([page[name] for page in pages])
        np.testing.assert_array_equal(together, values)


def test_a_page_behind_the_last_row_is_empty(table):
    page = Page(table, 1000, 5)
    assert page.next is None
    assert columns_of(page)["columns"]["T"].size == 0
    assert b"".join(as_csv(page)).count(b"\n") == 1


def test_a_point_is_one_row(ds):
    chosen = choose(ds, ["kappa_sd"], {n: Selection.parse(t) for n, t in POINT.items()})
    [row] = columns_of(Page(Table(chosen, ())))["columns"]["kappa_sd"]
    assert row == float(ds.kappa_sd.sel(d=3, T=1e-6).isel(alpha=2))


POINT = {"d": "3", "alpha": "3.5", "T": "1e-6"}


@pytest.mark.parametrize("stream", [as_csv, as_arrow])
def test_large_answers_are_read_as_they_are_sent(table, stream, monkeypatch):
    monkeypatch.setattr(formats, "STREAMED_AT_ONCE", 10 * len(table.columns))
    reads = []
    read = Table.read
    monkeypatch.setattr(Table, "read", lambda *asked: reads.append(asked) or read(*asked))
    pieces = stream(Page(table))
    assert len(reads) == 1  # of the first piece, whose errors can still be answered
    next(itertools.islice(pieces, 1, None))
    assert 0 < len(reads) < 3
    list(pieces)
    assert len(reads) > 6


@pytest.mark.parametrize(
    ("answer", "bound"),
    [(columns_of, "MAX_VALUES"), (as_csv, "MAX_STREAMED"), (as_arrow, "MAX_STREAMED")],
)
def test_too_many_values_are_refused_before_any_is_read(table, answer, bound, monkeypatch):
    monkeypatch.setattr(Table, "read", lambda *_: pytest.fail("read"))
    monkeypatch.setattr(formats, bound, 70 * len(table.columns) - 1)
    with pytest.raises(TooLarge, match="70 rows x 15 columns"):
        answer(Page(table))


def test_attributes_travel_in_the_schema(table):
    schema = table.schema()
    kappa = json.loads(schema.field("kappa_sd").metadata[b"attributes"])
    assert "(77)" in kappa["equation"]
    assert json.loads(schema.metadata[b"attributes"])["model"] == "scaling"


@pytest.mark.parametrize(
    ("asked", "accepted", "expected"),
    [
        (None, "", Format.JSON),
        (None, "text/html,application/xhtml+xml,*/*;q=0.8", Format.JSON),
        (None, "text/csv", Format.CSV),
        (None, "text/csv;q=0", Format.JSON),
        (None, "Text/CSV ; q=0.3, application/vnd.apache.arrow.stream;q=0.9", Format.ARROW),
        (None, "text/csv;q=much, application/x-netcdf;q=0.1", Format.NETCDF),
        ("csv", "application/json", Format.CSV),
        ("table", "text/csv", Format.TABLE),
    ],
)
def test_the_format_is_the_one_named_or_the_one_liked_best(asked, accepted, expected):
    assert chosen_format(asked, accepted) is expected


def test_an_unknown_format_is_named():
    with pytest.raises(SelectionError, match="no format 'xls'; choose one of json, table, csv"):
        chosen_format("xls", "")
