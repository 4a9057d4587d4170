"""Why a sweep waits for room, when it was deleted from which state, and what purged ones took."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; no sweep waits, is deleted or was purged."""
    with op.batch_alter_table("sweeps") as sweeps:
        sweeps.add_column(sa.Column("paused", sa.Text(), nullable=True))
        sweeps.add_column(sa.Column("deleted", sa.Float(), nullable=True))
        sweeps.add_column(sa.Column("state_before", sa.String(length=16), nullable=True))
    op.create_table(
        "purged",
        sa.Column("id", sa.Integer(), autoincrement=True, nullable=False),
        sa.Column("submitted_by", sa.String(length=200), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("purged_by_submitter", "purged", ["submitted_by", "created"])


def downgrade() -> None:
    """Remove the columns; a deleted sweep is what it was."""
    op.drop_index("purged_by_submitter", table_name="purged")
    op.drop_table("purged")
    op.execute("UPDATE sweeps SET state = state_before WHERE state = 'deleted'")
    with op.batch_alter_table("sweeps") as sweeps:
        sweeps.drop_column("state_before")
        sweeps.drop_column("deleted")
        sweeps.drop_column("paused")
