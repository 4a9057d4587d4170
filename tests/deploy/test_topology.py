"""The topology of compose.yaml as processes of this machine, from what the file itself says.

PostgreSQL is the server of the `pgserver` wheel; certificates, scheduler, two workers and service
run the commands and the health checks of the file, with names of hosts and folders put in place.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time

import psutil
import pytest

import delocal
from delocal.service.database import driver_of
from delocal.service.sweeps import INLINE_SECONDS
from tests.deploy.conftest import ROOT
from tests.processes import free_port
from tests.waiting import PATIENCE

REQUEST = {
    "models": ["scaling"],
    "axes": {
        "d": [2, 3],
        "alpha": {"linspace": [2.2, 7.0, 40]},
        "beta": {"linspace": [2.05, 6.0, 40]},
        "T": {"geomspace": [1e-6, 1e-2, 60]},
    },
    "fixed": {"W": 1},
}


class Topology:
    """Services of a compose file as processes."""

    def __init__(self, compose, dockerfile, places, environment):
        self.services, self.places, self.environment = compose["services"], places, environment
        [check] = [rest for name, rest in dockerfile if name == "HEALTHCHECK"]
        self.image_check = ["CMD", *json.loads(check.partition("CMD ")[2])]
        self.started = {}

    def put(self, word):
        """Replace variables, and what is another place on this machine."""
        word = re.sub(r"\$\{(\w+)(?:[:?-].*?)?\}", lambda m: self.environment[m[1]], str(word))
        for there, here in self.places.items():
            word = word.replace(there, here)
        return word

    def start(self, name):
        """Start a service after those that it depends on, and wait until it is healthy."""
        service = self.services[name]
        for other in service.get("depends_on", ()):
            if other != "postgres" and other not in self.started:
                self.start(other)
        more = {key: self.put(value) for key, value in service.get("environment", {}).items()}
        command = [sys.executable, "-m", "delocal", *map(self.put, service["command"])]
        replicas = service.get("deploy", {}).get("replicas", 1)
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
        self.started[name] = [
            subprocess.Popen(command, env=environment, start_new_session=True)
            for _ in range(replicas)
        ]
        if service.get("restart") == "no":  # a job, which others wait for
            assert all(process.wait(PATIENCE) == 0 for process in self.started[name])
        else:
            self.wait_until_healthy(name)

    def wait_until_healthy(self, name):
        check = self.services[name].get("healthcheck", {"test": self.image_check})
        end = time.monotonic() + PATIENCE
        while "test" in check:
            kind, program, *words = map(self.put, check["test"])
            assert (kind, program) == ("CMD", "python")
            done = subprocess.run([sys.executable, *words], stderr=subprocess.DEVNULL)
            if done.returncode == 0:
                return
            assert time.monotonic() < end, f"{name} is not healthy"
            assert all(process.poll() is None for process in self.started[name])
            time.sleep(0.1)

    def stop(self):
        """Stop as compose does, the last first: SIGTERM, and nothing may be left after a while."""
        family = []
        for name in reversed(self.started):
            for process in self.started[name]:
                if process.poll() is None:
                    family += psutil.Process(process.pid).children(recursive=True)
                    process.send_signal(signal.SIGTERM)
            for process in self.started[name]:
                process.wait(timeout=PATIENCE)
        _, alive = psutil.wait_procs(family, timeout=PATIENCE)
        return alive


@pytest.fixture
def database(postgresql):
    return driver_of(postgresql)


@pytest.fixture
def topology(compose, dockerfile, database, tmp_path):
    url = compose["services"]["service"]["environment"]["DELOCAL_DATABASE_URL"]
    (tmp_path / "tls").mkdir()
    (tmp_path / "data").mkdir()
    places = {
        url.replace("${POSTGRES_PASSWORD}", "secret"): database,
        "/tls": str(tmp_path / "tls"),
        "/data": str(tmp_path / "data"),
        "//scheduler:": "//127.0.0.1:",
        "0.0.0.0": "127.0.0.1",
        **{port: str(free_port()) for port in ("8786", "8787", "8000")},
    }
    places = dict(sorted(places.items(), key=lambda pair: pair[0] in ("/tls", "/data")))
    environment = {"POSTGRES_PASSWORD": "secret", "WORKERS_PER_CONTAINER": "1"}
    found = Topology(compose, dockerfile, places, environment)
    yield found
    for processes in found.started.values():
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def test_a_sweep_through_the_topology_of_compose(topology):
    topology.start("worker")
    topology.start("service")
    url = f"http://127.0.0.1:{topology.places['8000']}"
    with delocal.connect(url) as client:
        assert client.estimate(REQUEST)["core_seconds"] > INLINE_SECONDS  # so workers do it
        sweep = client.submit(REQUEST)
        status = sweep.wait(timeout=PATIENCE).status()
        assert status["state"] == "done"
        remote = sweep.open()["scaling"].to_dataset().load()
    local = delocal.run(REQUEST)["scaling"].to_dataset().load()
    for name, variable in local.variables.items():
        if variable.dtype.kind in "fi":
            assert remote[name].values.tobytes() == variable.values.tobytes(), name
    assert len(topology.started["worker"]) == 2
    assert topology.stop() == []
    assert all(p.returncode is not None for many in topology.started.values() for p in many)


def test_the_words_of_the_file_are_put_in_place(topology):
    command = shlex.join(map(topology.put, topology.services["worker"]["command"]))
    assert re.fullmatch(r"worker tls://127\.0\.0\.1:\d+ --tls \S+/tls/worker --workers 1", command)
