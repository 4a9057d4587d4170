"""Trash, export and doctor as a user of REST, client and command line meets them; also on S3."""

import json

import pytest
import xarray as xr
from typer.testing import CliRunner

from delocal.api import cli
from delocal.api.client import connect
from delocal.api.serving import serving
from delocal.service.errors import Conflict, NotFound
from delocal.service.settings import ClusterSettings, Settings
from delocal.workers.storage import storage_at, within

REQUEST = {
    "models": ["scaling"],
    "axes": {"T": {"geomspace": [1e-6, 1e-2, 5]}, "d": [2, 3]},
    "fixed": {"alpha": 3, "beta": 3, "W": 1},
}


@pytest.fixture
def running(tmp_path, place):
    """A service whose sweeps lie in a folder or a bucket, with one that is done."""
    settings = Settings(data=tmp_path / "data", sweeps=place, cluster=ClusterSettings(kind="none"))
    with serving(settings) as (url, service), connect(url) as client:
        sweep = client.submit(REQUEST).wait()
        yield client, sweep, service


def invoke(*arguments, code=0):
    result = CliRunner().invoke(cli.app, list(map(str, arguments)))
    assert result.exit_code == code, (result.output, result.exception)
    return json.loads(result.stdout[result.stdout.index("{") :])  # after the service's log


def test_xarray_opens_the_store_over_http(running):
    _, sweep, service = running
    stored = service.sweeps.store(sweep.id).open_model("scaling").load()
    over_http = xr.open_zarr(f"{sweep.zarr_url}/scaling", chunks=None).load()
    xr.testing.assert_identical(over_http, stored)


def test_the_zarr_route_serves_files_of_the_hierarchy_and_nothing_else(running):
    client, sweep, service = running
    storage = service.sweeps.store(sweep.id).storage
    here = f"/v1/sweeps/{sweep.id}/zarr"
    assert client.get_bytes(f"{here}/zarr.json") == storage.read("data.zarr/zarr.json")
    for name in (
        "nothing",
        "scaling/kappa_sd/c.9",
        "scaling",
        "..%2Fplan.json",
        "%2e%2e/plan.json",
    ):
        assert client.get_bytes(f"{here}/{name}") is None, name
    assert client._send("HEAD", f"{here}/zarr.json").status_code == 200
    assert client._send("HEAD", f"{here}/nothing").status_code == 404


@pytest.mark.parametrize(
    ("asked", "span"),
    [
        ("bytes=0-9", slice(0, 10)),
        ("bytes=10-", slice(10, None)),
        ("bytes=-4", slice(-4, None)),
        ("Bytes=5-999999999", slice(5, None)),
        ("bytes=-999999999", slice(0, None)),
    ],
)
def test_some_bytes_of_a_chunk_are_served(running, asked, span):
    client, sweep, service = running
    path = f"/v1/sweeps/{sweep.id}/zarr/scaling/kappa_sd/c.0.0"
    link = sweep.share()["zarr"].removeprefix(client.url)
    whole = service.sweeps.store(sweep.id).storage.read("data.zarr/scaling/kappa_sd/c.0.0")
    start, end, _ = span.indices(len(whole))
    for there in (path, f"{link}/scaling/kappa_sd/c.0.0"):
        answer = client._send("GET", there, headers={"Range": asked})
        assert (answer.status_code, answer.content) == (206, whole[span])
        assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{len(whole)}"


def test_bytes_beyond_the_end_are_refused_with_the_size(running):
    client, sweep, service = running
    path = f"/v1/sweeps/{sweep.id}/zarr/scaling/kappa_sd"
    size = len(service.sweeps.store(sweep.id).storage.read("data.zarr/scaling/kappa_sd/c.0.0"))
    answer = client._send("GET", f"{path}/c.0.0", headers={"Range": f"bytes={size}-"})
    assert (answer.status_code, answer.headers["Content-Range"]) == (416, f"bytes */{size}")
    assert answer.headers["Content-Type"] == "application/problem+json"
    answer = client._send("GET", f"{path}/c.9", headers={"Range": "bytes=0-9"})
    assert answer.status_code == 404


def test_a_range_that_depends_on_a_version_is_the_whole_file(running):
    client, sweep, service = running
    path = f"/v1/sweeps/{sweep.id}/zarr/zarr.json"
    headers = {"Range": "bytes=0-9", "If-Range": '"an old version"'}
    answer = client._send("GET", path, headers=headers)
    whole = service.sweeps.store(sweep.id).storage.read("data.zarr/zarr.json")
    assert (answer.status_code, answer.content) == (200, whole)


def test_data_are_selected_and_fetched(running, tmp_path):
    client, sweep, service = running
    found = client.get(f"/v1/sweeps/{sweep.id}/data?T=1e-6&variables=kappa_sd")
    assert len(found["data"]["kappa_sd"]["values"]) == 2
    copied = sweep.fetch(tmp_path / "copy")
    xr.testing.assert_identical(
        xr.open_zarr(copied / "scaling", chunks=None).load(),
        service.sweeps.store(sweep.id).open_model("scaling").load(),
    )


def test_delete_restore_and_purge(running):
    client, sweep, service = running
    client.delete(f"/v1/sweeps/{sweep.id}")
    assert sweep.status()["state"] == "deleted"
    assert client.sweeps() == []
    trash = client.get("/v1/sweeps?deleted=true")
    assert [one["id"] for one in trash["sweeps"]] == [sweep.id]
    with pytest.raises(Conflict, match="restore it"):
        client.get(f"/v1/sweeps/{sweep.id}/data")
    with pytest.raises(Conflict, match="already"):
        sweep.delete()
    assert sweep.restore().status()["state"] == "done"
    with pytest.raises(Conflict, match="delete it first"):
        sweep.purge()
    sweep.delete().purge()
    with pytest.raises(NotFound):
        sweep.status()
    assert list(storage_at(within(service.settings.place, sweep.id)).names()) == []


def test_a_page_of_the_trash_continues(running):
    client, sweep, _ = running
    other = client.submit({**REQUEST, "fixed": {**REQUEST["fixed"], "W": 2}}).wait()
    for one in (sweep, other):
        one.delete()
    page = client.get("/v1/sweeps?deleted=true&limit=1")
    assert [one["id"] for one in page["sweeps"]] == [other.id]
    following = client.get(page["next"].removeprefix(client.url))
    assert [one["id"] for one in following["sweeps"]] == [sweep.id]


def test_the_command_line_deletes_restores_and_purges(running):
    client, sweep, _ = running
    at = ("--url", client.url, "--json")
    assert invoke("delete", sweep.id, *at)["state"] == "deleted"
    assert invoke("restore", sweep.id, *at)["state"] == "done"
    assert invoke("delete", sweep.id, *at)["state"] == "deleted"
    assert invoke("delete", sweep.id, "--purge", *at)["state"] == "purged"
    assert client.get("/v1/sweeps?deleted=true")["sweeps"] == []
    again = client.submit(REQUEST).wait()
    assert invoke("delete", again.id, "--purge", *at)["state"] == "purged"


@pytest.mark.parametrize("suffix", ["nc", "zarr.zip", "parquet"])
def test_a_sweep_of_a_service_is_exported_here(running, suffix, tmp_path):
    client, sweep, _ = running
    file = tmp_path / f"sweep.{suffix}"
    told = invoke("fetch", sweep.id, "-o", file, "--url", client.url, "--json")
    assert told == {"id": sweep.id, "files": [str(file)]}
    assert file.stat().st_size > 1000
    if suffix == "nc":
        with xr.open_datatree(file, engine="h5netcdf") as tree:
            assert tree["scaling"].sizes["T"] == 5


def test_a_sweep_of_a_folder_is_exported_without_a_service(tmp_path):
    settings = Settings(data=tmp_path / "data", cluster=ClusterSettings(kind="none"))
    with serving(settings) as (url, _), connect(url) as client:
        sweep = client.submit(REQUEST).wait().id
    file = tmp_path / "sweep.parquet"
    invoke("fetch", sweep, "-o", file, "--data", tmp_path / "data", "--json")
    assert file.exists()


def test_a_sweep_is_run_into_a_bucket(prefix, tmp_path):
    file = tmp_path / "request.json"
    file.write_text(json.dumps(REQUEST))
    told = invoke("run", file, "-o", f"{prefix}/mine", "--json")
    assert told["path"] == f"{prefix}/mine/data.zarr"
    assert storage_at(f"{prefix}/mine").read("data.zarr/zarr.json")


def test_the_doctor_on_the_command_line(running, monkeypatch):
    _, sweep, service = running
    monkeypatch.setenv("DELOCAL_SWEEPS", service.settings.place)
    at = ("--data", service.settings.data, "--json")
    healthy = invoke("doctor", *at)
    assert healthy["healthy"]
    assert invoke("doctor", sweep.id, *at) == healthy
    assert healthy["checked"]["sweeps"] == 1
    storage = service.sweeps.store(sweep.id).storage
    chunk = "data.zarr/scaling/kappa_sd/c.0.0"
    good = storage.read(chunk)
    storage.write(chunk, good[:30] + bytes([good[30] ^ 1]) + good[31:])
    [finding] = invoke("doctor", *at, code=1)["findings"]
    assert (finding["file"], finding["variable"], finding["repaired"]) == (chunk, "kappa_sd", False)
    repaired = invoke("doctor", *at, "--repair")
    assert [finding["repaired"] for finding in repaired["findings"]] == [True]
    assert storage.read(chunk) == good
    assert invoke("doctor", *at)["findings"] == []


def test_the_doctor_speaks_plainly(running, monkeypatch):
    _, sweep, service = running
    monkeypatch.setenv("DELOCAL_SWEEPS", service.settings.place)
    service.sweeps.store(sweep.id).storage.remove("receipts/scaling/0000000.json")
    at = ["doctor", "--data", str(service.settings.data)]
    result = CliRunner().invoke(cli.app, at)
    assert result.exit_code == 1
    assert f"sweep {sweep.id}, scaling block 0: missing receipt" in result.stdout
    assert "1 wrong" in result.stdout
    result = CliRunner().invoke(cli.app, [*at, "--repair"])
    assert result.exit_code == 0
    assert "repaired" in result.stdout
    assert "nothing wrong" in result.stdout


def test_the_doctor_needs_a_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["delocal", "doctor", "--data", str(tmp_path / "nowhere")])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 2
    assert "nowhere" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()
