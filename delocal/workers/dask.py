"""Run blocks on a Dask cluster. Beside `clusters`, the only file that knows Dask.

Dask is the engine, never the queue: the ledger decides what runs, the scheduler never knows
more than a window of tasks, and losing it loses nothing.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import dask
from distributed import CancelledError, Client, Future, KilledWorker
from distributed.comm.core import CommClosedError

from delocal.physics.models import adopt, homes
from delocal.workers.block import Task, run_task
from delocal.workers.careful import WorkerDied
from delocal.workers.clusters.processes import QUIET, WORKER_ENVIRONMENT
from delocal.workers.clusters.scaling import Scaling, resize
from delocal.workers.clusters.security import NobodyThere, reach, security_of, whole_story
from delocal.workers.clusters.spec import STARTED, Cluster, ClusterSpec
from delocal.workers.clusters.start import start_cluster
from delocal.workers.clusters.versions import (
    WrongWorker,
    digest,
    identity,
    introduce,
    refusal,
)
from delocal.workers.local import ClusterLost, Done, Outcome
from delocal.workers.store import Receipt

log = logging.getLogger(__name__)

CONNECT_SECONDS = 5
RESULT_SECONDS = 10.0  # receipts of a task that has ended are a few hundred bytes
ASK_SECONDS = 10  # for a worker to say which version it has
GRACE_SECONDS = 10.0  # after it was cancelled, a task that still runs takes its worker with it
CLOSE_SECONDS = 15.0  # then the processes of a cluster on this machine are killed
KEEP_SECONDS = 1.0  # between two looks at whether the cluster has the right size
PATIENCE_SECONDS = 60.0  # before a cluster that is never closed gets smaller
CLOSING = "the cluster is being closed"


class DaskExecutor:
    """Runs tasks on a Dask cluster, one on each thread of its workers.

    A cluster that was started here follows the work, is closed when it is idle for long, and is
    started again when there is work. A scheduler that runs elsewhere may come later, or again. A
    worker of another version gets no task.

    Parameters
    ----------
    spec
        Which cluster; by default one on this machine with a worker for each core.
    """

    def __init__(self, spec: ClusterSpec | None = None) -> None:
        self._spec = spec or ClusterSpec()
        self._spec.check()
        dask.config.set(QUIET)
        environment = dask.config.get("distributed.nanny.pre-spawn-environ", {})
        environment = {**environment, **WORKER_ENVIRONMENT}
        dask.config.set({"distributed.nanny.pre-spawn-environ": environment})
        self._cluster: Cluster | None = None
        self._client: Client | None = None
        self._address = ""
        self._connecting = threading.RLock()
        self._asking = threading.Lock()  # a loop that ends under a question loses it:
        self._looking = threading.Lock()  # long and short questions
        self._scaling = Scaling(
            *self._spec.bounds, patience=self._spec.idle_seconds or PATIENCE_SECONDS
        )
        self._running: dict[Future, Task] = {}
        self._only: dict[Future, frozenset[str]] = {}  # workers that a task may run on, if not all
        self._accepted: set[str] = set()  # workers that may have tasks
        self._refused: dict[str, str] = {}  # and those that may not, with the reason
        self._submitted = 0
        self._used = time.monotonic()
        self._closing = threading.Event()
        self._begin()
        self._keeper = threading.Thread(target=self._keep, name="cluster", daemon=True)
        self._keeper.start()

    @property
    def slots(self) -> int:
        """Number of tasks that run at a time; ClusterLost if the scheduler does not answer.

        It is at least one where workers are started on demand, for they come with the tasks.
        """
        threads = self._accepted_threads()
        if threads is None:
            return 1
        if threads == 0 and self._refused:
            raise ClusterLost("; ".join(self._refused.values()))
        return max(threads, 1) if self._scaling.maximum else threads

    @property
    def description(self) -> str:
        """The scheduler's address and what is behind it."""
        threads = self._accepted_threads()
        if threads is None:
            rests = "not running; it starts with the next task"
            state = rests if self._cluster is None else "being started or closed"
            return f"Dask ({self._spec.kind}), {state}"
        return "; ".join([f"Dask at {self._address}, {threads} threads", *self._refused.values()])

    def _accepted_threads(self) -> int | None:
        """Return the threads of workers that may have tasks; None if the cluster rests.

        A cluster that rests or is being started is left alone: whoever only looks starts nothing.
        """
        threads = self._threads()
        if threads is None:
            return None
        self._give_up_stranded(threads)
        return sum(threads.get(worker, 0) for worker in self._accepted)

    def _threads(self) -> dict[str, int] | None:
        """Return the threads of all workers; None if the cluster rests."""
        while (client := self._present()) is not None:
            with self._looking:
                if client is self._client:  # it was not closed meanwhile
                    return self._nthreads(client)
        return None

    def _present(self) -> Client | None:
        """Return a client that is connected; None if the cluster rests, which it goes on to do."""
        if self._rests:
            return None
        with self._connecting:
            return None if self._rests else self._connected()

    @property
    def _rests(self) -> bool:
        resting = self._client is None and self._spec.kind in STARTED
        return resting and not self._closing.is_set()

    def _nthreads(self, client: Client) -> dict[str, int]:
        try:
            threads: dict[str, int] = client.nthreads()
        except (OSError, CommClosedError) as error:  # the scheduler died while it was asked
            raise ClusterLost(f"lost the scheduler at {self._address}: {error}") from error
        return threads

    def submit(self, task: Task, done: Done) -> None:
        """Send a task to the cluster; ClusterLost if its scheduler does not answer."""
        self._submitted += 1
        key = f"{task.model}-{task.digest[:12]}-{task.blocks[0]}-{self._submitted}"
        with self._connecting:
            client = self._connected()
            only = frozenset(self._accepted if self._refused else ())
            future = client.submit(
                _run,
                task,
                key,
                digest(),
                homes(),
                key=key,
                pure=False,
                retries=0,
                workers=list(only) or None,
            )
            self._running[future] = task
            self._only[future] = only

        def report(finished: Future) -> None:
            self._used = time.monotonic()
            self._running.pop(finished, None)
            self._only.pop(finished, None)
            # While the loop ends, it may leave a question without an answer.
            lost = ClusterLost(CLOSING) if self._closing.is_set() else None
            done(task, lost or _outcome(finished))

        future.add_done_callback(report)

    def cancel(self, root: str) -> None:
        """Ask every task of the store at `root` to end soon; one that does not is stopped hard.

        Its worker is started again then. Workers have one thread each, so that nobody else's
        task is harmed.
        """
        if keys := self._keys(root):
            threading.Thread(target=self._cancel, args=(keys,), daemon=True).start()

    def shorten(self, root: str) -> None:
        """Ask every task of the store at `root` to end after one more block."""
        if keys := self._keys(root):
            threading.Thread(target=self._tell, args=(_shorten, keys), daemon=True).start()

    def _keys(self, root: str) -> list[str]:
        running = list(self._running.items())
        return [str(future.key) for future, task in running if task.root == root]

    def close(self) -> None:
        """Disconnect, and stop the cluster if it was started here, hard if it takes too long."""
        self._closing.set()
        processes = _processes(self._cluster)
        stopping = threading.Thread(target=self._stop, daemon=True)
        stopping.start()
        stopping.join(CLOSE_SECONDS)
        if stopping.is_alive():
            log.warning("the cluster did not stop within %g s; killing it", CLOSE_SECONDS)
            for process in processes:
                with suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    def _begin(self) -> None:
        """Start, or leave it to who asks next if the cluster of somebody else is away."""
        try:
            with self._connecting:
                self._start()
        except ClusterLost as error:
            if self._spec.kind in STARTED:
                raise
            log.warning("%s; trying again whenever there is work", error)

    def _start(self) -> None:
        """Start the cluster if it is to be started here, and connect to it."""
        wanted = self._scaling.begin(len(self._running))
        found = start_cluster(self._spec, wanted)
        if isinstance(found, str):
            self._address = found
        else:
            self._cluster, self._address = found, found.scheduler_address
        try:
            self._client = self._connect()
        except OSError:
            self._stop()
            raise
        self._survey(self._client)
        self._used = time.monotonic()

    def _stop(self) -> None:
        with self._connecting:
            client, self._client = self._client, None
            self._accepted, self._refused = set(), {}
            try:
                with self._answered():
                    if client is not None:
                        client.close()
                    if self._cluster is not None:
                        self._cluster.close()
            finally:
                self._cluster = None

    @contextmanager
    def _answered(self) -> Iterator[None]:
        """Let nobody ask the cluster anything, once those who did have their answers."""
        locks = (self._asking, self._looking)
        held = [lock for lock in locks if lock.acquire(timeout=ASK_SECONDS)]
        try:
            yield
        finally:
            for lock in held:
                lock.release()

    def _connected(self) -> Client:
        """Return a client that is connected: a scheduler may have been lost and be back.

        A cluster of our own that was closed, or does not answer, is started again.
        """
        with self._connecting:
            if self._client is not None and self._client.status == "running":
                return self._client
            if self._closing.is_set():
                raise ClusterLost(CLOSING)
            try:
                if self._client is None:
                    self._start()
                else:
                    self._reconnect()
            except ClusterLost:
                raise
            except (OSError, RuntimeError, ValueError) as error:
                raise ClusterLost(f"no scheduler answers at {self._address}: {error}") from error
            assert self._client is not None
            return self._client

    def _reconnect(self) -> None:
        assert self._client is not None
        with self._answered():
            self._client.close()
        try:
            self._client = self._connect()
        except OSError:
            if self._cluster is not None:  # one that does not answer is replaced by the next call
                self._stop()
            raise

    def _connect(self) -> Client:
        security = getattr(self._cluster, "security", None) or security_of(self._spec.tls)
        try:
            reach(self._address, security, CONNECT_SECONDS)
            return Client(
                self._address, security=security, set_as_default=False, timeout=CONNECT_SECONDS
            )
        except NobodyThere as error:
            raise ClusterLost(f"no scheduler answers at {self._address}: {error}") from error
        except (OSError, RuntimeError, TypeError, ValueError) as error:
            raise OSError(f"cannot reach {self._address}: {whole_story(error)}") from error

    def _survey(self, client: Client) -> None:
        """Ask workers that were not seen before who they are, and forget those that are gone."""
        with self._asking:
            if client.status == "running":
                self._ask_new(client)

    def _ask_new(self, client: Client) -> None:
        there = client.nthreads().keys()
        accepted = self._accepted & there
        refused = {worker: why for worker, why in self._refused.items() if worker in there}
        new = sorted(there - accepted - refused.keys())
        for worker, answer in self._ask(client, new).items():
            why = refusal(worker, answer, identity())
            if why:
                log.error("%s", why)
                refused[worker] = why
            else:
                accepted.add(worker)
        self._accepted, self._refused = accepted, refused

    def _ask(self, client: Client, workers: list[str]) -> dict[str, Any]:
        """Ask workers for their version; who does not answer in time is asked again later."""
        if not workers:
            return {}
        try:
            answers: dict[str, Any] = client.sync(
                client._run,
                introduce,
                homes(),
                workers=workers,
                on_error="return",
                callback_timeout=ASK_SECONDS,
            )
        except (TimeoutError, OSError, CommClosedError) as error:
            log.warning("workers do not say which version they have: %s", error)
            return {}
        return {w: a for w, a in answers.items() if not isinstance(a, (OSError, CommClosedError))}

    def _give_up_stranded(self, threads: dict[str, int]) -> None:
        """Report tasks as lost that wait for workers which are not there any more."""
        for future, only in list(self._only.items()):
            if only and not only & threads.keys():
                future.cancel()

    def _keep(self) -> None:
        """Know the workers, give the cluster its size, and close it when it is idle for long.

        This is a thread of its own: a new worker takes seconds to say who it is.
        """
        while not self._closing.wait(KEEP_SECONDS):
            try:
                client = self._client
                if client is not None:
                    self._survey(client)
                with self._connecting:
                    self._adjust()
            except Exception as error:  # the cluster may be away for a while
                log.warning("cannot look after the cluster: %s", error)

    def _adjust(self) -> None:
        client, cluster = self._client, self._cluster
        if client is None or cluster is None or client.status != "running":
            return
        if self._running:
            self._used = time.monotonic()
        elif self._spec.closes and time.monotonic() - self._used > self._spec.idle_seconds:
            log.info("no task for %g s: the cluster is closed", self._spec.idle_seconds)
            self._stop()
            return
        if self._scaling.maximum:
            wanted = self._scaling.adjust(len(self._running))
            if self._scaling.due:
                self._scaling.told(resize(client, cluster, wanted, self._scaling.given))

    def _cancel(self, keys: list[str]) -> None:
        """Tell the workers which tasks nobody wants, and look after them until they have ended."""
        if (client := self._tell(_refuse, keys)) is None:
            return
        try:
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

    def _tell(self, note: Callable[[list[str]], None], keys: list[str]) -> Client | None:
        """Have every worker take note of the keys of some tasks; None if none can be reached."""
        try:
            client = self._connected()
            client.run(note, keys, on_error="ignore")
        except (OSError, CommClosedError) as error:  # the cluster is gone, and its tasks with it
            log.warning("cannot reach workers to tell them about tasks: %s", error)
            return None
        return client


# Of a worker process: keys of tasks that nobody wants any more, and that end after one more block.
_unwanted: set[str] = set()
_shortened: set[str] = set()


def _run(task: Task, key: str, release: str, modules: tuple[str, ...] = ()) -> list[Receipt]:
    """Run a task on a worker, until somebody puts its key among the unwanted.

    The `modules` register models of the service that do not come with delocal. WrongWorker if this
    worker is not of the `release` that the service is of.
    """
    adopt(modules)
    if release != digest():
        raise WrongWorker("the task came to a worker of another version")
    try:
        return run_task(task, lambda: key in _unwanted, lambda: key in _shortened)
    finally:
        _unwanted.discard(key)
        _shortened.discard(key)


def _refuse(keys: list[str]) -> None:
    """Note on a worker that nobody wants the tasks with these keys."""
    _unwanted.update(keys)


def _shorten(keys: list[str]) -> None:
    """Note on a worker that the tasks with these keys make room for others."""
    _shortened.update(keys)


def _outcome(future: Future) -> Outcome:
    try:
        receipts: Outcome = future.result(timeout=RESULT_SECONDS)
    except (CancelledError, CommClosedError) as error:  # what a lost scheduler leaves behind
        return ClusterLost(str(error))
    except TimeoutError as error:  # the task raised it, or the client was closed: no answer comes
        return error if future.status == "error" else ClusterLost(str(error))
    except KilledWorker as error:
        return _why_it_ended(future, error)
    except Exception as error:
        return error
    return receipts


def _why_it_ended(future: Future, error: KilledWorker) -> Outcome:
    """Return whether a worker died or was told to stop, which it says before it goes."""
    worker = error.last_worker.address
    try:
        events = future.client.get_events(worker)
    except (OSError, CommClosedError) as lost:
        return ClusterLost(f"{error}; and the scheduler does not say why: {lost}")
    if any(event.get("action") == "closing-worker" for _, event in events):
        return ClusterLost(f"the worker at {worker} was told to stop")
    return WorkerDied(str(error))


def _processes(cluster: Cluster | None) -> list[int]:
    """Return the worker processes of a cluster that runs as children of this process."""
    workers = getattr(cluster, "workers", None) or {}
    return [pid for nanny in workers.values() if isinstance(pid := getattr(nanny, "pid", 0), int)]
