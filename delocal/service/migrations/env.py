"""How alembic reaches the ledger: one process at a time, however many start at once."""

from typing import Any

import sqlalchemy as sa
from alembic import context

from delocal.service.tables import tables

LOCK = 0x64656C6F  # any number that nobody else takes

url = context.config.get_main_option("sqlalchemy.url")
assert url is not None
engine = sa.create_engine(url)
if engine.dialect.name == "sqlite":

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions are begun below
        connection.execute("PRAGMA busy_timeout=60000")
        # Now, and not by who comes first: while somebody writes, the change is refused at once.
        connection.execute("PRAGMA journal_mode=WAL")

    @sa.event.listens_for(engine, "begin")
    def begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")


with engine.connect() as connection:
    if engine.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
    context.configure(
        connection=connection,
        target_metadata=tables,
        render_as_batch=True,
        transactional_ddl=True,  # of SQLite as well
    )
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
engine.dispose()
