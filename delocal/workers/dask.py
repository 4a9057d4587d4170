"""Run blocks on a Dask cluster. The only file that imports dask or distributed.

Dask is the engine, never the queue: the ledger decides what runs, the scheduler never knows
more than a window of tasks, and losing it loses nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import dask
from distributed import CancelledError, Client, Future, KilledWorker, LocalCluster
from distributed.comm.core import CommClosedError

from delocal.workers.block import Task, run_task
from delocal.workers.careful import WorkerDied
from delocal.workers.local import ClusterLost, Done, Outcome
from delocal.workers.store import Receipt

log = logging.getLogger(__name__)

# An idle cluster with the defaults costs 7 % of a core; with these about 1 %.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    "distributed.worker.memory.monitor-interval": "1s",
    "distributed.scheduler.work-stealing": False,  # would ignore the order of submission
    "distributed.scheduler.allowed-failures": 0,  # attempts are counted by the ledger
}
WORKER_ENVIRONMENT = {
    # One process for each core with one thread: more threads inside numpy only get in the way.
    **dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"
    ),
    # Blocks come and go: memory given back to the system after each costs a page fault for
    # every 4 KiB of the next. Dask's own setting gives it back at once.
    "MALLOC_TRIM_THRESHOLD_": str(2**28),
    "MALLOC_MMAP_THRESHOLD_": str(2**28),
}

CONNECT_SECONDS = 5
RESULT_SECONDS = 10.0  # receipts of a task that has ended are a few hundred bytes
GRACE_SECONDS = 10.0  # after it was cancelled, a task that still runs takes its worker with it


class DaskExecutor:
    """Runs tasks on a Dask cluster, one on each thread of its workers.

    Parameters
    ----------
    address
        Scheduler to connect to; None starts a cluster on this machine.
    workers
        Number of worker processes of a cluster on this machine; None takes one for each core.
    """

    def __init__(self, address: str | None = None, workers: int | None = None) -> None:
        dask.config.set(QUIET)
        environment = dask.config.get("distributed.nanny.pre-spawn-environ", {})
        environment = {**environment, **WORKER_ENVIRONMENT}
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment})
        self._cluster: Any = None
        if address is None:
            self._cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",  # its HTTP server, on any free port
                silence_logs=logging.ERROR,
            )
        self._address: str = address or self._cluster.scheduler_address
        self._connecting = threading.Lock()
        self._client = self._connect()
        self._running: dict[Future, Task] = {}
        self._submitted = 0

    @property
    def slots(self) -> int:
        """Number of worker threads now; ClusterLost if the scheduler does not answer."""
        return int(sum(self._connected().nthreads().values()))

    @property
    def description(self) -> str:
        """The scheduler's address and what is behind it."""
        return f"Dask at {self._address}, {self.slots} threads"

    def _connected(self) -> Client:
        """Return a client that is connected: a scheduler may have been lost and be back."""
        with self._connecting:
            if self._client.status != "running":
                self._client.close()
                try:
                    self._client = self._connect()
                except OSError as error:
                    raise ClusterLost(f"no scheduler answers at {self._address}") from error
            return self._client

    def _connect(self) -> Client:
        return Client(self._address, set_as_default=False, timeout=CONNECT_SECONDS)

    def submit(self, task: Task, done: Done) -> None:
        """Send a task to the cluster; ClusterLost if its scheduler does not answer."""
        self._submitted += 1
        key = f"{task.model}-{task.digest[:12]}-{task.blocks[0]}-{self._submitted}"
        future = self._connected().submit(_run, task, key, key=key, pure=False, retries=0)
        self._running[future] = task

        def report(finished: Future) -> None:
            self._running.pop(finished, None)
            done(task, _outcome(finished))

        future.add_done_callback(report)

    def cancel(self, root: str) -> None:
        """Ask every task of the store at `root` to end soon; one that does not is stopped hard.

        Its worker is started again then. Workers have one thread each, so that nobody else's
        task is harmed.
        """
        keys = [future.key for future, task in list(self._running.items()) if task.root == root]
        if keys:
            threading.Thread(target=self._cancel, args=(keys,), daemon=True).start()

    def _cancel(self, keys: list[str]) -> None:
        """Tell the workers which tasks nobody wants, and look after them until they have ended."""
        try:
            client = self._connected()
            client.run(_refuse, keys, on_error="ignore")
            end = time.monotonic() + GRACE_SECONDS
            while left := {f.key for f in list(self._running)}.intersection(keys):
                if time.monotonic() > end:
                    at_work = client.processing()
                    workers = [w for w, theirs in at_work.items() if left.intersection(theirs)]
                    client.restart_workers(workers, raise_for_error=False)
                    return
                time.sleep(0.1)
        except (OSError, CommClosedError) as error:  # the cluster is gone, and its tasks with it
            log.warning("cannot reach workers to cancel: %s", error)

    def close(self) -> None:
        """Disconnect, and stop the cluster if it was started here."""
        self._client.close()
        if self._cluster is not None:
            self._cluster.close()


_unwanted: set[str] = set()  # of a worker process: keys of tasks that nobody wants any more


def _run(task: Task, key: str) -> list[Receipt]:
    """Run a task on a worker, until somebody puts its key among the unwanted."""
    try:
        return run_task(task, lambda: key in _unwanted)
    finally:
        _unwanted.discard(key)


def _refuse(keys: list[str]) -> None:
    """Note on a worker that nobody wants the tasks with these keys."""
    _unwanted.update(keys)


def _outcome(future: Future) -> Outcome:
    try:
        receipts: Outcome = future.result(timeout=RESULT_SECONDS)
    except (CancelledError, CommClosedError) as error:  # what a lost scheduler leaves behind
        return ClusterLost(str(error))
    except TimeoutError as error:  # the task raised it, or the client was closed: no answer comes
        return error if future.status == "error" else ClusterLost(str(error))
    except KilledWorker as error:
        return WorkerDied(str(error))
    except Exception as error:
        return error
    return receipts
