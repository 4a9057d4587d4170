"""The tables of the ledger; `migrations/` brings a database to them."""

from __future__ import annotations

import sqlalchemy as sa

tables = sa.MetaData()
LABEL_LENGTH = 200  # of a tag as it is found by: an index has no room for long ones

sweeps = sa.Table(
    "sweeps",
    tables,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(64), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("state", sa.String(16), nullable=False, index=True),
    sa.Column("cells", sa.BigInteger, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("blocks", sa.Integer, nullable=False),
    sa.Column("blocks_done", sa.Integer, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("finished", sa.Float),
    sa.Column("priority", sa.String(16), nullable=False, server_default="normal"),
    sa.Column("submitted_by", sa.String(200)),
    sa.Column("expected_seconds", sa.Float),
    sa.Index("sweeps_by_submitter", "submitted_by", "created"),
    sa.Column("paused", sa.Text),
    sa.Column("deleted", sa.Float),
    sa.Column("state_before", sa.String(16)),
    sa.Column("words", sa.Text, nullable=False, server_default=""),
)
# What sweeps are found by: their models and tags, and from where to where a parameter goes.
labels = sa.Table(
    "labels",
    tables,
    sa.Column("kind", sa.String(8), primary_key=True),
    sa.Column("value", sa.String(LABEL_LENGTH), primary_key=True),
    sa.Column("sweep_id", sa.ForeignKey("sweeps.id"), primary_key=True, index=True),
)
spans = sa.Table(
    "spans",
    tables,
    sa.Column("sweep_id", sa.ForeignKey("sweeps.id"), primary_key=True),
    sa.Column("parameter", sa.String(64), primary_key=True),
    sa.Column("low", sa.Float, nullable=False),
    sa.Column("high", sa.Float, nullable=False),
    sa.Index("spans_by_parameter", "parameter", "low", "high"),
)
blocks = sa.Table(
    "blocks",
    tables,
    sa.Column("sweep_id", sa.ForeignKey("sweeps.id"), primary_key=True),
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("block", sa.Integer, primary_key=True),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("owner", sa.String(64)),
    sa.Column("lease_until", sa.Float),
    sa.Column("checksum", sa.String(64)),
    sa.Column("seconds", sa.Float),
    sa.Column("counts", sa.JSON),
    # In the order in which blocks are leased, and by who holds them: neither looks at all blocks.
    sa.Index("blocks_by_state", "sweep_id", "state", "attempt", "model", "block"),
    sa.Index(
        "blocks_by_owner",
        "owner",
        sqlite_where=sa.text("owner IS NOT NULL"),
        postgresql_where=sa.text("owner IS NOT NULL"),
    ),
)
failures = sa.Table(
    "failures",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("sweep_id", sa.ForeignKey("sweeps.id"), nullable=False, index=True),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("block", sa.Integer, nullable=False),
    sa.Column("cell", sa.JSON),
    sa.Column("parameters", sa.JSON, nullable=False),
    sa.Column("error", sa.Text, nullable=False),
    sa.Column("traceback", sa.Text, nullable=False),
)
events = sa.Table(
    "events",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("sweep_id", sa.ForeignKey("sweeps.id"), nullable=False),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Index("events_by_sweep", "sweep_id", "id"),
    sqlite_autoincrement=True,
)
costs = sa.Table(
    "costs",
    tables,
    sa.Column("model", sa.String(64), primary_key=True),
    sa.Column("version", sa.String(32), primary_key=True),
    sa.Column("cells", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)
# What purged sweeps took, by whose they were: nobody gets it back by removing them.
purged = sa.Table(
    "purged",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("submitted_by", sa.String(200), nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
    sa.Index("purged_by_submitter", "submitted_by", "created"),
)
keys = sa.Table(
    "keys",
    tables,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("scopes", sa.JSON, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("expires", sa.Float),
    sa.Column("revoked", sa.Float),
    sa.Column("last_used", sa.Float),
)
audit = sa.Table(
    "audit",
    tables,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("time", sa.Float, nullable=False),
    sa.Column("caller", sa.String(200), nullable=False),
    sa.Column("action", sa.String(64), nullable=False),
    sa.Column("subject", sa.String(200)),
    sa.Column("address", sa.String(64)),
    sa.Column("request_id", sa.String(64)),
    sqlite_autoincrement=True,
)
