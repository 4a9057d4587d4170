"""The promises: the same bytes on every way, and nothing lost to a killed service."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pytest

import delocal
from delocal.api.client import Client
from delocal.api.serving import serving
from delocal.service import sweeps
from delocal.service.settings import ClusterSettings, Settings
from delocal.workers import plan as planning
from delocal.workers.store import SweepStore
from tests.physics.cheap import CHEAP, request_of
from tests.processes import free_port
from tests.waiting import PATIENCE, eventually

REQUEST = {
    "models": ["scaling"],
    "axes": {
        "d": [2, 3],
        "alpha": {"linspace": [2.2, 7.0, 13]},
        "beta": {"linspace": [2.05, 6.0, 11]},
        "T": {"geomspace": [1e-6, 1e-2, 20]},
        "W": {"geomspace": [1, 4, 3]},
    },
    "exclude": [{"alpha": {"lt": "beta"}}],
}
CELLS = 2 * 13 * 11 * 20 * 3


def arrays(ds):
    """Return every array of a dataset by name: type, shape, bytes."""
    return {
        str(name): (str(v.dtype), v.shape, v.values.tobytes())
        for name, v in ds.load().variables.items()
        if v.dtype.kind in "fi"
    }


@pytest.fixture(scope="module")
def reference():
    found = arrays(delocal.run(REQUEST)["scaling"].to_dataset())
    assert len(found) > 60
    return found


@pytest.mark.parametrize("block_cells", [500, 2_222, 200_000])
def test_block_size_does_not_change_a_byte(reference, block_cells):
    tree = delocal.run(REQUEST, block_cells=block_cells)
    assert arrays(tree["scaling"].to_dataset()) == reference


@pytest.mark.parametrize(
    ("kind", "workers", "block_cells"),
    [("local", 1, 4_000), ("local", 2, 1_000), ("none", None, 2_222)],
)
def test_rest_gives_the_bytes_of_a_local_run(
    reference, tmp_path, monkeypatch, kind, workers, block_cells
):
    monkeypatch.setattr(planning, "BLOCK_CELLS", block_cells)
    cluster = ClusterSettings(kind=kind, workers=workers)
    with serving(Settings(data=tmp_path, cluster=cluster)) as (url, service), Client(url) as client:
        sweep = client.submit(REQUEST).wait()
        assert sweep.status()["blocks"]["total"] > 3
        assert arrays(sweep.open()["scaling"].to_dataset()) == reference
        store = service.sweeps.store(sweep.id)
        assert arrays(store.open_model("scaling")) == reference
        checksums = service.ledger.checksums(sweep.id)
        assert {b: store.receipt("scaling", b).checksum for _, b in checksums} == {
            b: checksum for (_, b), checksum in checksums.items()
        }


def start_service(data, port, cluster="none", **more):
    environment = {
        **os.environ,
        **more,
        "DELOCAL_CLUSTER__KIND": cluster,
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    code = (
        "import delocal.workers.plan as p, delocal.workers.block as b, time;"
        "import delocal.service.dispatcher as d; d.TASK_SECONDS = 1e-9;"
        "p.BLOCK_CELLS = 200; run = b.run_block;"
        "b.run_block = lambda *a, **k: (time.sleep(0.03), run(*a, **k))[1];"
        "from delocal.api.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "serve", "--port", str(port), "--data", str(data)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)


def connect_when_up(url):
    def connected():
        with suppress(ConnectionError):
            return delocal.connect(url)

    return eventually(connected)


def test_a_service_killed_halfway_finishes_after_a_restart_to_the_same_bytes(reference, tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    first = start_service(tmp_path, port)
    with connect_when_up(url) as client:
        sweep = client.submit(REQUEST)
        eventually(lambda: sweep.status()["blocks"]["done"] >= 8)
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    store = SweepStore(tmp_path / "sweeps" / sweep.id)
    kept = {path: path.stat().st_mtime_ns for path in store.root.rglob("receipts/**/*.json")}
    assert 8 <= len(kept) < len(store.plan.parts[0].blocks)
    second = start_service(tmp_path, port)
    try:
        with connect_when_up(url) as client:
            status = client.sweep(sweep.id).wait(timeout=PATIENCE).status()
            assert status["state"] == "done"
            assert sum(status["cells"].values()) == 2 * CELLS  # the total, and its parts
            assert "not_computed" not in status["cells"]
    finally:
        second.terminate()
        second.wait(timeout=PATIENCE)
    assert arrays(store.open_model("scaling")) == reference
    assert {path: path.stat().st_mtime_ns for path in kept} == kept  # nothing computed twice


COSTS = ["core_seconds", "seconds_per_percent"]

MONTE_CARLO = {
    "models": ["network", "scaling"],
    "axes": {"T": [1.0, 0.1], "alpha": [3, 3.5]},
    "fixed": {"d": 2, "beta": 3, "W": 20, "t": 1, "V": 1},
    "options": {"network": {"box": 16}},
    "sampling": {"replicas": 8, "target_rel_error": 0.05, "max_replicas": 32},
}


def test_a_monte_carlo_sweep_on_a_cluster_gives_the_bytes_of_a_local_run(tmp_path):
    local = arrays(delocal.run(MONTE_CARLO)["network"].to_dataset().drop_vars(COSTS))
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="local", workers=2))
    with serving(settings) as (url, _), Client(url) as client:
        sweep = client.submit(MONTE_CARLO).wait()
        tree = sweep.open()
        assert set(tree.children) == {"network", "network_replicas", "scaling"}
        assert arrays(tree["network"].to_dataset().drop_vars(COSTS)) == local
        assert sweep.status()["cells"]["total"] == 8


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2])
def test_every_monte_carlo_model_gives_the_bytes_of_a_local_run(workers, tmp_path, monkeypatch):
    monkeypatch.setattr(sweeps, "INLINE_SECONDS", 0.0)  # so that workers do it
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="local", workers=workers))
    with serving(settings) as (url, _), Client(url) as client:
        for name in CHEAP:
            request = request_of(name, replicas=6)
            local = arrays(delocal.run(request)[name].to_dataset().drop_vars(COSTS))
            found = client.submit(request).wait().open()[name].to_dataset().drop_vars(COSTS)
            assert arrays(found) == local, name
