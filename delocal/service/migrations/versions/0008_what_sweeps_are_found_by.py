"""What sweeps are found by: words, models and tags, and the spans of their parameters."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

LENGTH = 200


def upgrade() -> None:
    """Add column and tables, and fill them from the requests of the sweeps there are.

    Parameters that such a request leaves at their default are not found by.
    """
    with op.batch_alter_table("sweeps") as batch:
        batch.add_column(sa.Column("words", sa.Text(), nullable=False, server_default=""))
    labels = op.create_table(
        "labels",
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("value", sa.String(length=LENGTH), nullable=False),
        sa.Column("sweep_id", sa.String(length=64), sa.ForeignKey("sweeps.id"), nullable=False),
        sa.PrimaryKeyConstraint("kind", "value", "sweep_id"),
    )
    op.create_index("ix_labels_sweep_id", "labels", ["sweep_id"])
    spans = op.create_table(
        "spans",
        sa.Column("sweep_id", sa.String(length=64), sa.ForeignKey("sweeps.id"), nullable=False),
        sa.Column("parameter", sa.String(length=64), nullable=False),
        sa.Column("low", sa.Float(), nullable=False),
        sa.Column("high", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("sweep_id", "parameter"),
    )
    op.create_index("spans_by_parameter", "spans", ["parameter", "low", "high"])
    for row in op.get_bind().execute(_sweeps.select()).mappings().all():
        _fill(dict(row), labels, spans)


def downgrade() -> None:
    """Remove them."""
    op.drop_table("spans")
    op.drop_table("labels")
    with op.batch_alter_table("sweeps") as batch:
        batch.drop_column("words")


_sweeps = sa.table(
    "sweeps",
    sa.column("id", sa.String),
    sa.column("name", sa.String),
    sa.column("tags", sa.JSON),
    sa.column("request", sa.JSON),
    sa.column("words", sa.Text),
)


def _fill(row: Mapping[str, Any], labels: sa.Table, spans: sa.Table) -> None:
    db, here = op.get_bind(), row["id"]
    tags, models = list(row["tags"]), list(row["request"].get("models", ()))
    words = "\n".join([row["name"], *tags, *models]).replace("\0", "").casefold()
    db.execute(_sweeps.update().where(_sweeps.c.id == here).values(words=words))
    named = [("model", name) for name in models] + [("tag", tag) for tag in tags]
    for kind, value in dict.fromkeys((k, v.replace("\0", "")[:LENGTH]) for k, v in named):
        db.execute(labels.insert().values(kind=kind, value=value, sweep_id=here))
    for name, low, high in _ends(row["request"]):
        values = {"sweep_id": here, "parameter": name, "low": low, "high": high}
        db.execute(spans.insert().values(**values))


def _ends(request: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Yield each parameter that a request gives, with its lowest and highest value."""
    axes, cases = request.get("axes", {}), request.get("cases", ())
    for name, value in request.get("fixed", {}).items():
        yield name, value, value
    for name in {name for case in cases for name in case}:
        values = [case[name] for case in cases if name in case]
        yield name, min(values), max(values)
    for name, axis in axes.items():
        if axis.get("like") is not None:
            axis = axes[axis["like"]]
        ends = axis.get("list") or (axis.get("linspace") or axis.get("geomspace") or ())[:2]
        if axis.get("logspace"):
            ends = [10.0**exponent for exponent in axis["logspace"][:2]]
        if ends:
            yield name, min(ends), max(ends)
