"""A service killed again and again: the slow companion of `test_end_to_end`."""

import os
import random
import signal
import socket
import time

import pytest

import delocal
from delocal.workers.store import SweepStore
from tests.system.test_end_to_end import REQUEST, arrays, connect_when_up, start_service

KILLS = 10
BIGGER = {**REQUEST, "axes": {**REQUEST["axes"], "T": {"geomspace": [1e-6, 1e-2, 100]}}}


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_service_killed_at_random_loses_nothing(tmp_path, seed):
    rng = random.Random(seed)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url, sweep_id = f"http://127.0.0.1:{port}", None
    for _ in range(KILLS):
        service = start_service(tmp_path, port, cluster="local")
        with connect_when_up(url) as client:
            sweep_id = client.submit(BIGGER).id
            time.sleep(rng.uniform(0.1, 3))
        os.kill(service.pid, signal.SIGKILL)
        service.wait()
    last = start_service(tmp_path, port, cluster="local")
    try:
        with connect_when_up(url) as client:
            assert client.sweep(sweep_id).wait(timeout=600).status()["state"] == "done"
    finally:
        last.terminate()
        last.wait(timeout=30)
    reference = arrays(delocal.run(BIGGER)["scaling"].to_dataset())
    store = SweepStore(tmp_path / "sweeps" / sweep_id)
    assert arrays(store.open_model("scaling")) == reference
