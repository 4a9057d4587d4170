"""Worker, scheduler and service killed again and again: the store is what it would have been."""

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress

import psutil
import pytest

import delocal
from delocal.workers.store import SweepStore
from tests.processes import free_port, listens
from tests.system.test_end_to_end import REQUEST, arrays, connect_when_up, start_service
from tests.waiting import PATIENCE, eventually

BIGGER = {**REQUEST, "axes": {**REQUEST["axes"], "T": {"geomspace": [1e-6, 1e-2, 100]}}}
WORKERS = 2
THREADS_LOST = {"worker": 1, "nanny": WORKERS, "scheduler": WORKERS, "service": WORKERS}
"""Tasks that a kill may cost: those of the workers that die or that nobody wants any more."""
PRELOAD = """
import os, time
from delocal.workers import block, store
if not hasattr(block, "at_once"):  # Dask loads this file twice
    block.at_once, store.signed_at_once = block.evaluate, store.SweepStore.sign

def note(what, part, number):
    log = os.open(os.environ["JOURNAL"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(log, f"{what} {part}/{number}\\n".encode())
    os.close(log)

def slowly(place, part, number, cancelled):
    note("started", part.name, number)
    time.sleep(float(os.environ["SECONDS_PER_BLOCK"]))
    return block.at_once(place, part, number, cancelled)

def signed(self, receipt):
    note("completed", receipt.model, receipt.block)
    store.signed_at_once(self, receipt)

block.evaluate, store.SweepStore.sign = slowly, signed
"""


class Engine:
    """A scheduler, a pool of two workers and a service, each of which may die at any moment."""

    def __init__(self, folder, seconds_per_block):
        self.folder, self.journal = folder, folder / "journal.txt"
        (folder / "preload.py").write_text(PRELOAD)
        self.port, self.scheduler_port = free_port(), free_port()
        self.address = f"tcp://127.0.0.1:{self.scheduler_port}"
        self.environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(sys.path),
            "DASK_DISTRIBUTED__WORKER__PRELOAD": str([str(folder / "preload.py")]),
            "JOURNAL": str(self.journal),
            "SECONDS_PER_BLOCK": str(seconds_per_block),
        }
        self.processes = {}

    def start(self):
        """Start whatever does not run, as a supervisor would."""
        pages = f"127.0.0.1:{free_port()}"
        commands = {
            "scheduler": ["scheduler", "--port", str(self.scheduler_port), "--http", pages],
            "nanny": ["worker", self.address, "--workers", str(WORKERS), "--death-seconds", "20"],
        }
        for name, words in commands.items():
            if not self.runs(name):
                command = [sys.executable, "-m", "delocal", *words]
                self.processes[name] = subprocess.Popen(
                    command,
                    env=self.environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    start_new_session=True,
                )
        eventually(lambda: listens(self.scheduler_port))  # a service asks for it when it starts
        if not self.runs("service"):
            self.processes["service"] = start_service(
                self.folder, self.port, cluster="address", DELOCAL_CLUSTER__ADDRESS=self.address
            )

    def runs(self, name):
        return name in self.processes and self.processes[name].poll() is None

    def workers(self):
        """Return the processes that run tasks."""
        with suppress(psutil.NoSuchProcess):
            family = psutil.Process(self.processes["nanny"].pid).children(recursive=True)
            return [p for p in family if "spawn_main" in " ".join(p.cmdline())]
        return []

    def kill(self, what, rng):
        """Kill one thing with SIGKILL; return how many tasks that may cost."""
        if what == "worker":
            found = self.workers()
            if not found:
                return 0
            rng.choice(found).kill()
        elif what == "all":
            for name in THREADS_LOST:
                if name != "worker":
                    self.kill(name, rng)
            return WORKERS
        else:
            family = self.workers() if what == "nanny" else []
            self.processes[what].kill()
            self.processes[what].wait()
            for worker in family:
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
        return THREADS_LOST[what]

    def stop(self):
        for name in ("service", "nanny", "scheduler"):
            if self.runs(name):
                self.processes[name].send_signal(signal.SIGTERM)
                self.processes[name].wait(timeout=PATIENCE)

    def counted(self, what):
        """Return how often each block was started or completed."""
        lines = self.journal.read_text().splitlines() if self.journal.exists() else []
        return Counter(line.split()[1] for line in lines if line.startswith(what))

    def wait_for_work(self):
        """Wait until one more block is begun; start whatever ends meanwhile."""
        before, end = self.counted("started").total(), time.monotonic() + 120
        while self.counted("started").total() == before:
            assert time.monotonic() < end, "nothing is computed"
            self.start()  # a nanny ends too if its worker dies while it starts
            time.sleep(0.05)


@pytest.fixture
def engine(tmp_path, request):
    found = Engine(tmp_path, request.param)
    yield found
    for process in found.processes.values():
        if process.poll() is None:
            for child in psutil.Process(process.pid).children(recursive=True):
                child.kill()
            process.kill()
            process.wait()


def torment(engine, request, targets, rng, pause, at_work):
    """Kill the targets one after the other while a sweep runs; return its id and what it cost.

    Before about a part `at_work` of the kills something is computed; others may hit what starts.
    """
    engine.start()
    url, lost = f"http://127.0.0.1:{engine.port}", 0
    with connect_when_up(url) as client:
        sweep = client.submit(request).id
        eventually(lambda: client.sweep(sweep).status()["blocks"]["done"])
    for target in targets:
        if rng.random() < at_work:
            engine.wait_for_work()
        time.sleep(rng.uniform(*pause))
        lost += engine.kill(target, rng)
        engine.start()
    with connect_when_up(url) as client:
        found = client.sweep(sweep)
        assert found.status()["state"] == "running", "the sweep ended before the last kill"
        end = time.monotonic() + 600
        while (state := found.status()["state"]) == "running":
            assert time.monotonic() < end
            engine.start()
            time.sleep(0.2)
        assert state == "done"
    engine.stop()
    return sweep, lost


def assert_unharmed(engine, request, sweep, lost):
    """Assert that the store has the bytes of an undisturbed run, and each block was made once."""
    store = SweepStore(engine.folder / "sweeps" / sweep)
    undisturbed = delocal.run(request)["scaling"].to_dataset()
    assert arrays(store.open_model("scaling")) == arrays(undisturbed)
    started, completed = engine.counted("started"), engine.counted("completed")
    assert len(completed) == len(store.plan.parts[0].blocks)
    assert set(completed.values()) == {1}, "a block was completed twice"
    assert sum(started.values()) - len(started) <= lost
    assert not [path for path in store.root.rglob("*") if "partial" in path.name]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("engine", [0.12], indirect=True)
def test_three_kills_lose_nothing(engine):
    rng = random.Random(0)
    targets = ["worker", "scheduler", "service"]
    sweep, lost = torment(engine, REQUEST, targets, rng, pause=(0.1, 0.5), at_work=1.0)
    assert_unharmed(engine, REQUEST, sweep, lost)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("engine", [0.4], indirect=True)
@pytest.mark.parametrize("seed", [1, 2])
def test_thirty_kills_lose_nothing(engine, seed):
    rng = random.Random(seed)
    targets = 6 * ["worker", "nanny", "scheduler", "service", "all"]
    rng.shuffle(targets)
    sweep, lost = torment(engine, BIGGER, targets, rng, pause=(0.1, 2), at_work=0.5)
    assert_unharmed(engine, BIGGER, sweep, lost)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", [1, 2])
def test_a_service_killed_with_its_own_cluster_loses_nothing(tmp_path, seed):
    rng, port = random.Random(seed), free_port()
    url, sweep_id = f"http://127.0.0.1:{port}", None
    for _ in range(10):
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
        last.wait(timeout=PATIENCE)
    reference = arrays(delocal.run(BIGGER)["scaling"].to_dataset())
    store = SweepStore(tmp_path / "sweeps" / sweep_id)
    assert arrays(store.open_model("scaling")) == reference
