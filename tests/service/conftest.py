"""A ledger on SQLite and on PostgreSQL, and a service."""

import itertools

import pytest
import sqlalchemy as sa

from delocal.service.database import driver_of
from delocal.service.ledger import Ledger
from delocal.service.settings import ClusterSettings, Service, Settings
from delocal.service.states import BLOCK_MOVES, MOVES
from delocal.workers.store import SweepStore
from tests.waiting import eventually

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
    """A ledger; on SQLite it takes no move that the tables of moves do not have."""
    ledger = Ledger(database_url)
    if ledger.engine.dialect.name == "sqlite":
        for table, moves in {"sweeps": MOVES, "blocks": BLOCK_MOVES}.items():
            allowed = [f"{source}>{to}" for source, targets in moves.items() for to in targets]
            _watch(
                ledger,
                table,
                f"WHEN OLD.state || '>' || NEW.state NOT IN {tuple(allowed)} BEGIN "
                "SELECT RAISE(ABORT, 'the table of moves does not have this one'); END",
            )
    yield ledger
    ledger.close()


@pytest.fixture
def noted(tmp_path):
    """A ledger that notes every move, and a function that returns those of one of its tables."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'noted.sqlite'}")
    with ledger.writing() as db:
        db.execute(sa.text("CREATE TABLE noted (kind TEXT, source TEXT, target TEXT)"))
    for table in ("sweeps", "blocks"):
        note = f"INSERT INTO noted VALUES ('{table}', OLD.state, NEW.state)"
        _watch(ledger, table, f"BEGIN {note}; END")

    def moves(table):
        query = sa.text("SELECT DISTINCT source, target FROM noted WHERE kind = :kind")
        with ledger.writing() as db:
            return {tuple(row) for row in db.execute(query, {"kind": table})}

    yield ledger, moves
    ledger.close()


def _watch(ledger, table, action):
    """Let SQLite act on each move of a sweep or block."""
    with ledger.writing() as db:
        trigger = f"CREATE TRIGGER moves_of_{table} BEFORE UPDATE OF state ON {table}"
        db.exec_driver_sql(f"{trigger} {action}")


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
