"""What is exported is the sweep: values, status, coordinates, attributes; by blocks."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pandas as pd
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import xarray as xr
import zarr

from delocal.service.errors import NotReady, SelectionError
from delocal.service.export import export_store
from delocal.service.provenance import provenance
from delocal.service.request import SweepRequest
from delocal.workers.local import run_plan
from delocal.workers.lost import LostChunk
from delocal.workers.storage import within
from delocal.workers.store import SweepStore


def plan(**changed):
    content = {
        "models": ["scaling"],
        "axes": {
            "d": [2, 3],
            "alpha": [2.5, 3.0, 5.0],
            "T": {"geomspace": [1e-6, 1e-2, 7]},
        },
        "fixed": {"beta": 3, "W": 1},
        **changed,
    }
    return SweepRequest.parse(content).plan(provenance(), block_cells=10)


@pytest.fixture
def store(place):
    return run_plan(plan(), within(place, "sweep"))


def attributes(found):
    return {
        name: value.tolist() if isinstance(value, np.ndarray | np.generic) else value
        for name, value in found.attrs.items()
    }


def assert_same(found, expected):
    assert set(found.variables) == set(expected.variables)
    assert set(found.coords) == set(expected.coords)
    assert attributes(found) == attributes(expected)
    for name, variable in expected.variables.items():
        assert found[name].dims == variable.dims, name
        assert attributes(found[name]) == attributes(variable), name
        if variable.dtype.kind in "if":
            assert found[name].dtype == variable.dtype, name
            np.testing.assert_array_equal(found[name].values, variable.values)
        else:
            assert list(map(str, found[name].values)) == list(map(str, variable.values))


def test_netcdf_opens_as_the_same_tree(store, tmp_path):
    assert export_store(store, tmp_path / "s.nc") == [tmp_path / "s.nc"]
    with xr.open_datatree(tmp_path / "s.nc", engine="h5netcdf") as tree:
        assert set(tree.children) == {"scaling"}
        assert attributes(tree) == attributes(store.open())
        assert_same(tree["scaling"].to_dataset().load(), store.open_model("scaling").load())
        for variable in tree["scaling"].data_vars.values():
            assert variable.encoding["chunksizes"] is None or max(variable.shape) <= 7


def test_a_zip_is_the_zarr_store_byte_by_byte(store, tmp_path):
    export_store(store, tmp_path / "s.zarr.zip")
    with zipfile.ZipFile(tmp_path / "s.zarr.zip") as archive:
        names = {n for n in store.storage.names() if n.startswith("data.zarr/")}
        assert {f"data.zarr/{name}" for name in archive.namelist()} == names
        for name in archive.namelist():
            assert archive.read(name) == store.storage.read(f"data.zarr/{name}")
    with zarr.storage.ZipStore(tmp_path / "s.zarr.zip", mode="r") as zipped:
        found = xr.open_zarr(zipped, group="scaling", chunks=None).load()
    assert_same(found, store.open_model("scaling").load())
    export_store(store, tmp_path / "again.zip")
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "s.zarr.zip").read_bytes()


def test_parquet_is_a_long_table_with_a_row_for_each_cell(store, tmp_path):
    export_store(store, tmp_path / "s.parquet")
    frame = pq.read_table(tmp_path / "s.parquet").to_pandas()
    ds = store.open_model("scaling").load()
    cells = ds.sizes["d"] * ds.sizes["alpha"] * ds.sizes["T"]
    assert len(frame) == cells
    assert not frame.duplicated(["d", "alpha", "T"]).any()
    rows = frame.set_index(["d", "alpha", "T"])
    for place in np.ndindex(ds.sizes["d"], ds.sizes["alpha"], ds.sizes["T"]):
        cell = ds.isel(d=place[0], alpha=place[1], T=place[2])
        row = rows.loc[float(cell.d), float(cell.alpha), float(cell["T"])]
        assert (row["W"], row["beta"]) == (1.0, 3.0)
        for name in ("status", "kappa_sd", "log10_kappa_sd", "region"):
            np.testing.assert_equal(row[name], cell[name].item())
        for letter in ("T", "W"):
            exponent = cell.kappa_sd_exponent.sel(wrt=letter).item()
            np.testing.assert_equal(row[f"kappa_sd_exponent_{letter}"], exponent)


@pytest.mark.parametrize("suffix", ["arrow", "csv"])
def test_other_tables_have_the_same_bits(suffix, tmp_path):
    store = run_plan(plan(), tmp_path / "sweep")
    export_store(store, tmp_path / "s.parquet")
    [file] = export_store(store, tmp_path / f"s.{suffix}")
    expected = pq.read_table(tmp_path / "s.parquet")
    if suffix == "arrow":
        table = pyarrow.ipc.open_file(file).read_all()
        assert table.schema.metadata == expected.schema.metadata
        found = table.to_pandas()
    else:
        found = pd.read_csv(file)
    for name, column in expected.to_pandas().items():
        assert found[name].to_numpy(column.dtype).tobytes() == column.to_numpy().tobytes(), name


@pytest.mark.parametrize("name", ["s.zarr", "plain"])
def test_a_folder_is_the_zarr_store_byte_by_byte(name, tmp_path):
    store = run_plan(plan(), tmp_path / "sweep")
    assert export_store(store, tmp_path / name) == [tmp_path / name]
    names = [n.removeprefix("data.zarr/") for n in store.storage.names() if "data.zarr/" in n]
    found = [
        str(f.relative_to(tmp_path / name)) for f in (tmp_path / name).rglob("*") if f.is_file()
    ]
    assert sorted(found) == sorted(names)
    for file in names:
        assert (tmp_path / name / file).read_bytes() == store.storage.read(f"data.zarr/{file}")


def test_parquet_keeps_types_and_attributes(store, tmp_path):
    export_store(store, tmp_path / "s.parquet")
    schema, ds = pq.read_schema(tmp_path / "s.parquet"), store.open_model("scaling")
    assert str(schema.field("status").type) == "int8"
    assert str(schema.field("kappa_sd").type) == "double"
    for name in ("kappa_sd", "status", "T"):
        told = json.loads(schema.field(name).metadata[b"attributes"])
        assert told == attributes(ds[name])
    assert json.loads(schema.metadata[b"attributes"]) == attributes(ds)


@pytest.fixture
def several(tmp_path):
    request = {
        "models": ["scaling", "resonances"],
        "axes": {"alpha": [3.0, 4.0]},
        "fixed": {"d": 1, "T": 0.1, "W": 1, "beta": 3, "L": 8},
        "sampling": {"replicas": 3},
    }
    return run_plan(SweepRequest.parse(request).plan(), tmp_path / "several")


def test_a_sweep_of_several_models(several, tmp_path):
    export_store(several, tmp_path / "s.nc")
    parts = [part.name for part in several.plan.parts]
    assert parts == ["scaling", "resonances_replicas", "resonances"]
    with xr.open_datatree(tmp_path / "s.nc", engine="h5netcdf") as tree:
        for name in parts:
            assert_same(tree[name].to_dataset().load(), several.open_model(name).load())
    (tmp_path / "t-resonances.parquet").touch()
    with pytest.raises(FileExistsError):
        export_store(several, tmp_path / "t.parquet")
    (tmp_path / "t-resonances.parquet").unlink()
    assert not list(tmp_path.glob("t-*"))  # all of them or none
    files = export_store(several, tmp_path / "t.parquet")
    assert [file.name for file in files] == [f"t-{name}.parquet" for name in parts]
    replicas = pq.read_table(tmp_path / "t-resonances_replicas.parquet").to_pandas()
    assert sorted(replicas["replica"]) == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("suffix", [".nc", ".zip", ".parquet"])
def test_a_sweep_without_axes(suffix, tmp_path):
    store = run_plan(
        plan(axes={}, fixed={"d": 2, "alpha": 3, "beta": 3, "W": 1, "T": 0.1}), tmp_path / "s"
    )
    [file] = export_store(store, tmp_path / f"one{suffix}")
    assert file.stat().st_size > 0


@pytest.mark.parametrize("suffix", [".nc", ".zip", ".parquet"])
def test_progress_ends_with_everything_and_a_file_is_never_replaced(store, suffix, tmp_path):
    told = []
    export_store(store, tmp_path / f"s{suffix}", lambda *what: told.append(what))
    assert told[-1][0] == told[-1][1] == len(told) > 5
    with pytest.raises(FileExistsError, match="another name"):
        export_store(store, tmp_path / f"s{suffix}")


@pytest.mark.parametrize("suffix", [".nc", ".zip", ".parquet"])
def test_an_export_that_fails_leaves_nothing(store, suffix, tmp_path):
    def full(done, total):
        raise OSError("no room")

    folder = tmp_path / "exports"
    folder.mkdir()
    with pytest.raises(OSError, match="no room"):
        export_store(store, folder / f"s{suffix}", full)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("suffix", [".zarr", ".zip", ".nc", ".parquet"])
def test_a_sweep_that_lost_a_chunk_is_not_exported(tmp_path, suffix):
    store = run_plan(plan(), tmp_path / "sweep")
    store.storage.remove("data.zarr/scaling/kappa_sd/c.0.0.0")
    with pytest.raises(LostChunk, match=r"scaling/kappa_sd/c\.0\.0\.0"):
        export_store(store, tmp_path / f"s{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == ["sweep"]


def test_an_unfinished_sweep_is_not_exported(place, tmp_path):
    store = SweepStore(within(place, "sweep"))
    store.create(plan())
    with pytest.raises(NotReady, match="42 cells"):
        export_store(store, tmp_path / "s.nc")


def test_an_unknown_suffix_lists_those_there_are(store, tmp_path):
    with pytest.raises(SelectionError, match=r"\.zarr, \.zip, \.nc, \.parquet"):
        export_store(store, tmp_path / "s.xlsx")


MEASURED = """
import sys, tracemalloc
from pathlib import Path
import pyarrow
from delocal.service.export import export_store
from delocal.workers.store import SweepStore
small, large, folder, suffix = *map(Path, sys.argv[1:4]), sys.argv[4]
export_store(SweepStore(small), folder / f"first{suffix}")  # imports
tracemalloc.start()
export_store(SweepStore(large), folder / f"s{suffix}")
print(tracemalloc.get_traced_memory()[1], pyarrow.default_memory_pool().max_memory())
"""


@pytest.mark.parametrize("suffix", [".nc", ".zip", ".parquet"])
def test_memory_is_bounded_by_a_block(suffix, tmp_path):
    """A sweep of 27 MB, in blocks of 0.9 MB, never has more than a few of them in memory.

    In a process of its own, which has neither threads nor garbage of other tests.
    """
    request = {
        "models": ["scaling"],
        "axes": {
            "alpha": {"linspace": [2.2, 7, 30]},
            "T": {"geomspace": [1e-6, 1e-2, 40]},
            "W": {"geomspace": [1, 4, 50]},
        },
        "fixed": {"d": 2, "beta": 3},
    }
    store = run_plan(SweepRequest.parse(request).plan(block_cells=2000), tmp_path / "large")
    whole = sum(v.nbytes for v in store.open_model("scaling").variables.values())
    assert whole > 15e6
    run_plan(plan(), tmp_path / "small")
    words = [str(tmp_path / "small"), str(tmp_path / "large"), str(tmp_path), suffix]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    told = subprocess.run(
        [sys.executable, "-c", MEASURED, *words],
        env=environment,
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout
    python, arrow = map(int, told.split())
    assert 0 < python < whole / 3
    assert arrow < whole / 3


@pytest.mark.parametrize(("suffix", "library"), [("nc", "h5netcdf"), ("parquet", "pyarrow")])
def test_a_library_that_is_missing_is_named_with_its_extra(tmp_path, monkeypatch, suffix, library):
    store = run_plan(plan(), tmp_path / "sweep")
    for name in [name for name in sys.modules if name.split(".")[0] == library]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr("sys.meta_path", [Lacking(library), *sys.meta_path])
    with pytest.raises(ModuleNotFoundError, match=f"{library}: pip install 'delocal.export.'"):
        export_store(store, tmp_path / f"s.{suffix}")
    assert not list(tmp_path.glob("s.*"))


class Lacking:
    """Finds no module of one library."""

    def __init__(self, library):
        self.library = library

    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == self.library:
            raise ModuleNotFoundError(f"No module named {name!r}", name=self.library)
