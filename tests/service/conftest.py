"""A ledger on SQLite and on PostgreSQL, and a service."""

import itertools
import time

import pytest
import sqlalchemy as sa

from delocal.service.database import driver_of
from delocal.service.ledger import Ledger
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.workers.store import SweepStore

NUMBERS = itertools.count()
EACH_DATABASE = pytest.mark.usefixtures("on_each_database")
PLACES_AND_DATABASES = pytest.mark.parametrize(
    ("place", "database_url"), [("folder", "postgresql"), ("bucket", "sqlite")], indirect=True
)
"""Every place and every database, for tests that have to do with both, at the cost of two."""


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
def on_each_database(database_url, monkeypatch):
    """Services that are told no database have their ledger in this one."""
    monkeypatch.setenv("DELOCAL_DATABASE_URL", database_url)


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


def wait(ledger, sweep_id, seconds=30):
    """Wait until a sweep has ended; return its record."""
    end = time.monotonic() + seconds
    while not ledger.sweep(sweep_id).state.ended:
        assert time.monotonic() < end, ledger.sweep(sweep_id)
        time.sleep(0.01)
    return ledger.sweep(sweep_id)
