"""A refined sweep in a service that is killed goes on, and ends with the same bytes."""

import os
import signal
import time

import delocal
from delocal.workers.store import SweepStore
from tests.processes import free_port
from tests.system.test_end_to_end import arrays, connect_when_up, start_service

REQUEST = {
    "models": ["bethe-pool"],
    "axes": {"W": [12, 20], "N": [100, 110, 120, 130, 140]},
    "fixed": {"K": 2},
    "options": {"bethe-pool": {"generations": 300}},
    "refine": {"variable": "growth", "along": "W", "target": 0, "tolerance": 1e-3},
    "sampling": {"replicas": 8},
}


def wait_for(sweep, number):
    """Wait until so many searches are done."""
    end = time.monotonic() + 60
    while sweep.status()["blocks"]["done"] < number:
        assert time.monotonic() < end
        time.sleep(0.02)


def test_a_search_that_was_killed_is_begun_again_and_no_other(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    first = start_service(tmp_path, port)
    try:
        with connect_when_up(url) as client:
            sweep_id = client.submit(REQUEST).id
            wait_for(client.sweep(sweep_id), 2)
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    store = SweepStore(tmp_path / "sweeps" / sweep_id)
    kept = {path: path.stat().st_mtime_ns for path in (store.root / "receipts").rglob("*.json")}
    assert 2 <= len(kept) < 5
    second = start_service(tmp_path, port)
    try:
        with connect_when_up(url) as client:
            sweep = client.sweep(sweep_id).wait(timeout=120)
            assert sweep.status()["state"] == "done"
            assert sweep.status()["cells"] == {"total": 5, "done": 5}
    finally:
        second.terminate()
        second.wait(timeout=30)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    reference = arrays(delocal.run(REQUEST)["bethe-pool"].to_dataset())
    assert arrays(store.open_model("bethe-pool")) == reference
