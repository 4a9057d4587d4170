"""A ledger on SQLite and on PostgreSQL, and a service."""

import itertools

import pytest
import sqlalchemy as sa

from delocal.service.database import driver_of
from delocal.service.ledger import Ledger
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.workers.store import SweepStore
from tests.waiting import eventually

NUMBERS = itertools.count()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request, tmp_path):
    """The URL of an empty database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    url = sa.make_url(driver_of(request.getfixturevalue("postgresql")))
    name = f"ledger{next(NUMBERS)}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name}"))
    engine.dispose()
    return url.set(database=name).render_as_string(hide_password=False)


@pytest.fixture
def ledger(database_url):
    ledger = Ledger(database_url)
    yield ledger
    ledger.close()


@pytest.fixture
def service(tmp_path):
    """A service that computes in its own process."""
    service = Service(Settings(data=tmp_path / "data", cluster=ClusterSettings(kind="none")))
    yield service
    service.close()


def enter(ledger, tmp_path, plan, **more):
    """Enter a plan as a sweep; return its store."""
    (tmp_path / "sweeps").mkdir(exist_ok=True)
    store = SweepStore(tmp_path / "sweeps" / plan.sweep_id)
    store.create(plan)
    ledger.add(plan, name="", tags=[], request={}, **more)
    return store


def wait(ledger, sweep_id):
    """Wait until a sweep has ended; return its record."""
    eventually(lambda: ledger.sweep(sweep_id).state.ended)
    return ledger.sweep(sweep_id)
