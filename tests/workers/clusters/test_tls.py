"""TLS between service, scheduler and workers: a wrong authority and plain TCP get nowhere."""

import pytest

from delocal.workers import dask as executors
from delocal.workers.clusters.certificates import make_certificates
from delocal.workers.clusters.spec import ClusterSpec
from delocal.workers.dask import DaskExecutor
from delocal.workers.local import ClusterLost
from tests.waiting import PATIENCE


def connect(address, tls=None):
    return DaskExecutor(ClusterSpec(kind="address", address=address, tls=tls))


def test_a_sweep_over_tls(certificates, start_scheduler, start_worker, eventually, sweep):
    address, _ = start_scheduler(certificates / "scheduler")
    start_worker(address, certificates / "worker", workers=2)
    executor = connect(address, certificates / "service")
    try:
        eventually(lambda: executor.slots == 2)
        assert executor.description == f"Dask at {address}, 2 threads"
        sweep(executor)
    finally:
        executor.close()


def test_strangers_are_rejected(certificates, start_scheduler, start_worker, tmp_path, monkeypatch):
    make_certificates(tmp_path / "other")
    address, scheduler = start_scheduler(certificates / "scheduler")
    strange = start_worker(
        address, tmp_path / "other" / "worker", death_seconds=3, arguments=["--no-nanny"]
    )
    with pytest.raises(OSError, match="certificate verify failed"):
        connect(address, tmp_path / "other" / "service")
    with monkeypatch.context() as patch:
        patch.setattr(executors, "CONNECT_SECONDS", 2)  # that it tries in vain
        with pytest.raises(OSError, match="cannot reach tcp://"):
            connect(address.replace("tls://", "tcp://"))
    with pytest.raises(OSError, match="encryption required"):
        connect(address.replace("tls://", "tcp://"), certificates / "service")
    with pytest.raises(OSError, match=r"cluster\.tls is not set"):
        connect(address)
    strange.wait(timeout=PATIENCE)
    executor = connect(address, certificates / "service")
    assert executor.slots == 0  # the strange worker never came in
    executor.close()
    assert scheduler.poll() is None


def test_a_plain_scheduler_is_refused_by_who_has_certificates(
    certificates, start_scheduler, monkeypatch
):
    monkeypatch.setattr(executors, "CONNECT_SECONDS", 2)
    address, _ = start_scheduler()
    with pytest.raises(OSError, match="cannot reach tls://"):
        connect(address.replace("tcp://", "tls://"), certificates / "service")


def test_workers_end_when_their_scheduler_is_killed(
    certificates, start_scheduler, start_worker, eventually
):
    address, scheduler = start_scheduler(certificates / "scheduler")
    worker = start_worker(address, certificates / "worker", workers=2, death_seconds=2)
    executor = connect(address, certificates / "service")
    eventually(lambda: executor.slots == 2)
    scheduler.kill()
    worker.wait(timeout=PATIENCE)
    with pytest.raises(ClusterLost, match=r"no scheduler answers|lost the scheduler"):
        _ = executor.slots
    executor.close()
