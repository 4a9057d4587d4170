"""Nothing is left behind: whoever kills the service, and however, its workers end."""

import os
import signal
import sys

import psutil
import pytest

from delocal.api.client import Client
from delocal.workers.clusters.processes import DEATH_SECONDS
from tests.processes import free_port, sessions
from tests.system.test_end_to_end import connect_when_up
from tests.waiting import PATIENCE, eventually
from tests.workers.clusters.test_slurm import SBATCH, SCANCEL, SQUEUE, running

SWEEP = {
    "models": ["network"],
    "axes": {"T": [1.0, 0.1], "alpha": [3, 3.5]},
    "fixed": {"d": 2, "beta": 3, "W": 20, "t": 1, "V": 1},
    "options": {"network": {"box": 64}},
    "sampling": {"replicas": 256},
}


@pytest.fixture
def port():
    return free_port()


@pytest.fixture
def start(tmp_path, port):
    """Return a function that starts a service with a cluster, in a process group of its own."""
    command = [sys.executable, "-m", "delocal", "serve", "--port", str(port)]
    command += ["--data", str(tmp_path / "data")]
    with sessions(tmp_path) as begin:

        def service(**settings):
            given = {f"DELOCAL_CLUSTER__{name.upper()}": text for name, text in settings.items()}
            path = os.pathsep.join(path for path in sys.path if path)
            return begin(command, {**os.environ, "PYTHONPATH": path, **given})

        yield service


def busy(port):
    """Wait until a service works at a sweep."""
    with connect_when_up(f"http://127.0.0.1:{port}") as client:
        assert isinstance(client, Client)
        sweep = client.submit(SWEEP)
        eventually(lambda: sweep.status()["blocks"]["done"])


@pytest.mark.parametrize(
    "how", ["kill", pytest.param("terminate", marks=pytest.mark.slow), "terminate the group"]
)
def test_workers_on_this_machine_end_with_the_service(start, port, how):
    service = start(kind="local", workers="2")
    busy(port)
    family = psutil.Process(service.pid).children(recursive=True)
    assert len(family) >= 2
    if how == "kill":
        service.kill()
    elif how == "terminate":
        service.terminate()
    else:
        os.killpg(service.pid, signal.SIGTERM)
    service.wait(timeout=PATIENCE)
    _, alive = psutil.wait_procs(family, timeout=PATIENCE)
    assert alive == []


def test_jobs_of_slurm_end_when_the_service_is_killed(start, port, tmp_path, monkeypatch):
    jobs, scripts = tmp_path / "jobs", tmp_path / "bin"
    for folder in (jobs, scripts):
        folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL), ("squeue", SQUEUE)):
        (scripts / name).write_text(script.format(python=sys.executable, jobs=str(jobs)))
        (scripts / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{scripts}{os.pathsep}{os.environ['PATH']}")
    options = '{"scheduler_options": {"host": "127.0.0.1"}}'
    service = start(kind="slurm", maximum="2", options=options)
    busy(port)
    workers = [psutil.Process(pid) for pid in running(jobs)]
    assert workers
    service.kill()
    service.wait()
    _, alive = psutil.wait_procs(workers, timeout=DEATH_SECONDS + PATIENCE)
    assert alive == []
