"""The database behind the ledger, where several begin to use it at the same moment."""

import sqlite3

import sqlalchemy as sa

from delocal.service.database import engine_of, migrate


def test_a_new_ledger_is_used_by_one_while_another_brings_it_up_to_date(tmp_path):
    """SQLite does not wait for a writer where the first connection has to change the journal."""
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}"
    migrate(url)
    another = sqlite3.connect(tmp_path / "ledger.sqlite", isolation_level=None)
    another.execute("BEGIN IMMEDIATE")
    engine = engine_of(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as db:
        assert db.scalar(sa.text("SELECT count(*) FROM sweeps")) == 0
    engine.dispose()
    another.close()
