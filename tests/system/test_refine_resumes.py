"""A refined sweep in a service that is killed goes on, and ends with the same bytes."""

import os
import signal

import delocal
from delocal.workers.store import SweepStore
from tests.processes import free_port
from tests.system.test_end_to_end import arrays, connect_when_up, start_service
from tests.waiting import PATIENCE, eventually

REQUEST = {
    "models": ["bethe-pool"],
    "axes": {"W": [12, 20], "N": [100, 110, 120, 130, 140]},
    "fixed": {"K": 2},
    "options": {"bethe-pool": {"generations": 300}},
    "refine": {"variable": "growth", "along": "W", "target": 0, "tolerance": 1e-3},
    "sampling": {"replicas": 8},
}


def test_a_search_that_was_killed_is_begun_again_and_no_other(tmp_path):
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    first = start_service(tmp_path, port)
    try:
        with connect_when_up(url) as client:
            sweep = client.submit(REQUEST)
            eventually(lambda: sweep.status()["blocks"]["done"] >= 2)
    finally:
        os.kill(first.pid, signal.SIGKILL)
        first.wait()
    store = SweepStore(tmp_path / "sweeps" / sweep.id)
    kept = {path: path.stat().st_mtime_ns for path in (store.root / "receipts").rglob("*.json")}
    assert 2 <= len(kept) < 5
    second = start_service(tmp_path, port)
    try:
        with connect_when_up(url) as client:
            status = client.sweep(sweep.id).wait(timeout=PATIENCE).status()
            assert status["state"] == "done"
            assert status["cells"] == {"total": 5, "done": 5}
    finally:
        second.terminate()
        second.wait(timeout=PATIENCE)
    assert {path: path.stat().st_mtime_ns for path in kept} == kept
    reference = arrays(delocal.run(REQUEST)["bethe-pool"].to_dataset())
    assert arrays(store.open_model("bethe-pool")) == reference
