"""A service that is told to stop: what is open is answered, and nothing of it stays behind."""

import json
import os
import signal
import subprocess
import sys
import threading
import time

import httpx2
import psutil
import pytest
import sqlalchemy as sa

from delocal.api import serving
from delocal.api.client import Client
from delocal.service.ledger import Ledger
from delocal.service.settings import ClusterSettings, Settings
from delocal.service.tables import blocks
from tests.processes import free_port
from tests.system.test_end_to_end import connect_when_up
from tests.waiting import PATIENCE, eventually

HEAVY = {
    "models": ["scaling"],
    "axes": {
        "T": {"geomspace": [1e-6, 1e-2, 100_000]},
        "W": {"linspace": [1, 2, 40]},
        "d": [2, 3],
    },
    "fixed": {"alpha": 3, "beta": 3},
}
SLOW_MODELS = (
    "import pathlib, time, delocal.api.routes.models as m; describe = m.describe_models;"
    "asked = pathlib.Path({asked!r});"
    "m.describe_models = lambda: (asked.touch(), time.sleep({seconds}), describe())[-1];"
    "from delocal.api.cli import main; main()"
)


class Started:
    """A service in a process of its own, whose list of models takes its time."""

    def __init__(self, data, cluster, seconds=2.0, **settings):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        self.log, self.asked = data / "log", data / "asked"
        data.mkdir(exist_ok=True)
        code = SLOW_MODELS.format(seconds=seconds, asked=str(self.asked))
        arguments = ["serve", "--port", str(port), "--data", str(data), "--workers", "2"]
        environment = {
            **os.environ,
            "DELOCAL_CLUSTER__KIND": cluster,
            "PYTHONPATH": os.pathsep.join(sys.path),
            **settings,
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", code, *arguments],
                env=environment,
                stderr=log,
                start_new_session=True,
            )

    def family(self):
        """Return every process that is there because of this service, orphans too."""
        return [p for p in psutil.process_iter() if session_of(p) == self.process.pid]

    def lines(self):
        """Return what the service logged; workers log as Dask does."""
        text = self.log.read_text().splitlines()
        return [json.loads(line) for line in text if line.startswith("{")]


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a service, which is gone when the test has ended."""
    started = []

    def start(cluster="none", **settings):
        started.append(Started(tmp_path / "data", cluster, **settings))
        return started[-1]

    yield start
    for service in started:
        for process in service.family():
            process.kill()
        service.process.wait(timeout=PATIENCE)


def session_of(process):
    try:
        return os.getsid(process.pid)
    except OSError:
        return None


def nothing_left(service):
    """Whether every process of a service has ended, or does so soon."""
    _, alive = psutil.wait_procs(service.family(), timeout=PATIENCE)
    return alive == [] and service.family() == []


def in_background(call):
    """Return a list that gets the result of `call`, and the thread that computes it."""
    results = []
    thread = threading.Thread(target=lambda: results.append(call()))
    thread.start()
    return results, thread


def listen(url, begun):
    """Return all that a stream of events says; `begun` is set when the service has answered."""
    with httpx2.stream("GET", url, timeout=PATIENCE) as stream:
        begun.set()
        return stream.status_code, stream.read().decode()


def test_a_service_stops_in_order_while_it_works(start, tmp_path):
    service = start("local")
    with connect_when_up(service.url) as client:
        sweep = client.submit(HEAVY)
        eventually(lambda: client.get("/readyz")["active_sweeps"] == 1 and in_flight(client))
        assert len(service.family()) >= 3  # two workers at least
        events, begun = f"{service.url}/v1/sweeps/{sweep.id}/events", threading.Event()
        stream, listening = in_background(lambda: listen(events, begun))
        assert begun.wait(PATIENCE)
        assert sweep.status()["state"] == "running"
        models = f"{service.url}/v1/models"
        answer, asking = in_background(lambda: httpx2.get(models, timeout=PATIENCE))
        eventually(service.asked.exists)
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(timeout=PATIENCE) == 128 + signal.SIGTERM
    asking.join()
    listening.join()
    assert answer[0].status_code == 200
    assert {model["name"] for model in answer[0].json()} >= {"scaling", "network"}
    [(status, told)] = stream
    assert status == 200
    assert "event: running" in told
    assert "event: done" not in told
    assert nothing_left(service)
    ledger = Ledger(f"sqlite:///{tmp_path / 'data' / 'ledger.sqlite'}")
    with ledger.engine.connect() as db:
        states = set(db.scalars(sa.select(blocks.c.state).distinct()))
    ledger.close()
    assert "leased" not in states
    assert "queued" in states
    assert service.lines()[-1]["event"] == "stopped"


def in_flight(client):
    """Whether tasks are with the cluster."""
    text = client.get_bytes("/metrics").decode()
    [line] = [line for line in text.splitlines() if line.startswith("delocal_tasks_in_flight ")]
    return float(line.split()[1]) > 0


def broken_off(url):
    """Whether a request was not answered, or with an error."""
    try:
        return httpx2.get(url, timeout=10 * PATIENCE).status_code >= 500
    except httpx2.TransportError:
        return True


def test_a_request_that_takes_too_long_does_not_keep_a_service(start):
    service = start(seconds=10 * PATIENCE, DELOCAL_STOP_SECONDS="1")
    with connect_when_up(service.url):
        pass
    answers, asking = in_background(lambda: broken_off(f"{service.url}/v1/models"))
    eventually(service.asked.exists)
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(timeout=PATIENCE)
    assert nothing_left(service)
    asking.join()
    assert answers == [True]
    told = [line["event"] for line in service.lines()]
    assert any("timeout graceful shutdown exceeded" in event for event in told)
    assert told[-1] == "stopped"


@pytest.mark.parametrize("seconds", [0.5, 1.5, 2.5, 3.5])
def test_a_service_that_is_stopped_while_it_starts_leaves_nothing(start, seconds):
    service = start("local")
    time.sleep(seconds)  # at some moment of the start
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(timeout=PATIENCE) in (-signal.SIGTERM, 128 + signal.SIGTERM)
    assert nothing_left(service)


def test_a_signal_during_the_start_is_not_lost(monkeypatch, tmp_path):
    """It came in a callback of the garbage collector once, where an exception goes nowhere."""
    begin = serving.Service

    def interrupted(settings):
        service = begin(settings)
        signal.raise_signal(signal.SIGTERM)
        return service

    monkeypatch.setattr(serving, "Service", interrupted)
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM)}
    settings = Settings(data=tmp_path, cluster=ClusterSettings(kind="none"))
    ready = []
    try:
        with pytest.raises(SystemExit) as stopped:
            serving.serve(settings, "127.0.0.1", 0, ready.append)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert stopped.value.code == 143
    assert ready[0].stopping.is_set()


def test_production_logs_are_json_from_the_first_line_to_the_last(start):
    service = start()
    with connect_when_up(service.url) as client:
        client.sweeps()
        assert isinstance(client, Client)
    service.process.send_signal(signal.SIGTERM)
    service.process.wait(timeout=PATIENCE)
    told = service.lines()
    assert len(told) == len(service.log.read_text().splitlines())
    assert told[0]["event"] == "serving"
    assert [line["route"] for line in told if line["event"] == "request"] == ["/v1/sweeps"]
    assert told[-1]["event"] == "stopped"
