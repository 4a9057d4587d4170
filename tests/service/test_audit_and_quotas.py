"""The audit keeps what was done; quotas keep a key from taking everything."""

import threading
import time

import pytest

from delocal.service.audit import Audit
from delocal.service.errors import QuotaUsedUp
from delocal.service.keys import Caller, Scope
from delocal.service.quotas import QuotaSettings
from delocal.service.request import SweepRequest
from delocal.service.settings import ClusterSettings, Service, Settings
from tests.service.conftest import EACH_DATABASE
from tests.waiting import PATIENCE

pytestmark = EACH_DATABASE

ADA = Caller("ada", "Ada", frozenset(Scope))
BOB = Caller("bob", "Bob", frozenset(Scope))


def request(t, points=10):
    axes = {"T": {"geomspace": [1e-6, 1e-2, points]}}
    fixed = {"d": 2, "alpha": 3, "beta": 3, "W": 1, "t": t}
    return SweepRequest.parse({"models": ["scaling"], "axes": axes, "fixed": fixed})


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a service with a quota, idle if asked to be."""
    started = []

    def start(idle=False, **quota):
        cluster = ClusterSettings(kind="none")
        service = Service(Settings(data=tmp_path, cluster=cluster, quota=QuotaSettings(**quota)))
        started.append(service)
        if idle:
            service.dispatcher.stop()
        return service

    yield start
    for service in started:
        service.close()


def test_acts_are_kept_in_order_and_read_page_by_page(start):
    audit = Audit(start().ledger.engine)
    for number in range(5):
        audit.add("ada", "sweep.submit", str(number), address="192.0.2.1", request_id="r")
    first = audit.newest(2)
    assert [act.subject for act in first] == ["4", "3"]
    assert [act.subject for act in audit.newest(9, before=first[-1].id)] == ["2", "1", "0"]
    assert (first[0].caller, first[0].address, first[0].request_id) == ("ada", "192.0.2.1", "r")


def test_a_sweep_has_an_owner(start):
    service = start()
    assert service.sweeps.submit(request(0.1), ADA).submitted_by == "ada"
    assert service.sweeps.submit(request(0.1), BOB).submitted_by == "ada"  # the same sweep
    assert service.sweeps.submit(request(0.2)).submitted_by is None


def test_without_quotas_nothing_is_counted(start):
    service = start()
    for number in range(5):
        service.sweeps.submit(request(0.1 + number), ADA)


def test_cells_count_for_each_key_alone(start):
    service = start(cells=25)
    service.sweeps.submit(request(0.1), ADA)
    service.sweeps.submit(request(0.2), ADA)
    with pytest.raises(QuotaUsedUp, match="20 cells of key ada and 10 more are above the 25"):
        service.sweeps.submit(request(0.3), ADA)
    assert service.ledger.sweep(request(0.3).plan().sweep_id) is None
    assert not (service.settings.data / "sweeps" / request(0.3).plan().sweep_id).exists()
    service.sweeps.submit(request(0.1), ADA)  # found again: costs nothing
    service.sweeps.submit(request(0.3), BOB)
    service.sweeps.submit(request(0.4))  # nobody's


def test_only_so_many_sweeps_run_at_a_time(start):
    service = start(idle=True, sweeps=1)
    many = 100_000  # too many to be computed on the spot
    first = service.sweeps.submit(request(0.1, many), ADA)
    with pytest.raises(QuotaUsedUp, match="1 sweeps of key ada are queued or running"):
        service.sweeps.submit(request(0.2, many), ADA)
    service.sweeps.cancel(first.id)
    second = service.sweeps.submit(request(0.2, many), ADA)
    with pytest.raises(QuotaUsedUp):  # nor by the way of a retry
        service.sweeps.retry(first.id, ADA)
    service.sweeps.cancel(second.id)
    assert not service.sweeps.retry(first.id, ADA).state.ended


def test_a_sweep_counts_with_what_it_was_expected_to_take_until_it_has_ended(start):
    service = start(idle=True, core_seconds=1.0)
    many = request(0.1, 200_000)
    expected = service.sweeps.estimate(many).core_seconds
    assert 0.05 < expected < 1.0
    sweeps = [
        service.sweeps.submit(request(0.1 + number, 200_000), ADA)
        for number in range(int(1 / expected))
    ]
    with pytest.raises(QuotaUsedUp, match="core-seconds of key ada"):
        service.sweeps.submit(request(0.05, 200_000), ADA)
    for sweep in sweeps:
        service.sweeps.cancel(sweep.id)  # they took nothing
    service.sweeps.submit(request(0.15, 200_000), ADA)


def test_submissions_at_the_same_moment_do_not_slip_through(start):
    service = start(idle=True, cells=20)
    refused, start_together = [], threading.Barrier(6)

    def submit(t):
        start_together.wait()
        try:
            service.sweeps.submit(request(t), ADA)
        except QuotaUsedUp:
            refused.append(t)

    threads = [threading.Thread(target=submit, args=(0.1 + i,)) for i in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(refused) == 4
    assert len(service.ledger.newest()) == 2


def test_what_was_submitted_long_ago_is_forgotten(start, monkeypatch):
    service = start(cells=10, days=1.0)
    service.sweeps.submit(request(0.1), ADA)
    with pytest.raises(QuotaUsedUp, match="within 1 days"):
        service.sweeps.submit(request(0.2), ADA)
    later = time.time() + 90_000
    monkeypatch.setattr("delocal.service.quotas.time.time", lambda: later)
    service.sweeps.submit(request(0.2), ADA)


def computed(service, t, by):
    """Submit a sweep that takes a measurable time, and return it when it is done."""
    return service.sweeps.wait(service.sweeps.submit(request(t, 300_000), by).id, timeout=PATIENCE)


def test_cells_count_until_their_sweep_is_purged(start):
    service = start(cells=10)
    sweep = service.sweeps.submit(request(0.1), ADA)
    service.sweeps.delete(sweep.id)
    with pytest.raises(QuotaUsedUp, match="10 cells of key ada"):
        service.sweeps.submit(request(0.2), ADA)
    service.sweeps.purge(sweep.id)
    service.sweeps.submit(request(0.2), ADA)
    with pytest.raises(QuotaUsedUp):  # it is a new one now
        service.sweeps.submit(request(0.1), ADA)


def test_core_seconds_that_were_used_are_not_given_back(start, monkeypatch):
    service = start()
    sweep = computed(service, 0.1, ADA)
    assert sweep.seconds > 0
    bobs = computed(service, 0.2, BOB)
    nobodys = service.sweeps.submit(request(0.3))
    service.close()
    service = start(core_seconds=1.5 * sweep.seconds)

    def had(key, days=0.0):
        with monkeypatch.context() as patch:
            later = time.time() + days * 86_400
            patch.setattr("delocal.service.quotas.time.time", lambda: later)
            return service.sweeps._quotas._had(key)

    before = had("ada")
    for one in (sweep, bobs, nobodys):
        service.sweeps.delete(one.id)
    assert had("ada") == before == (0, 300_000, pytest.approx(sweep.seconds))
    for one in (sweep, bobs, nobodys):
        service.sweeps.purge(one.id)
    assert had("ada") == (0, 0, pytest.approx(sweep.seconds))
    assert had("bob") == (0, 0, pytest.approx(bobs.seconds))
    assert had("ada", days=31) == (0, 0, 0.0)
    service.sweeps._quotas.check("ada", 1, 0.4 * sweep.seconds)
    with pytest.raises(QuotaUsedUp, match="core-seconds of key ada"):
        service.sweeps._quotas.check("ada", 1, 0.6 * sweep.seconds)
