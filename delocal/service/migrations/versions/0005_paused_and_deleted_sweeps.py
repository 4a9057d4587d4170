"""Why a sweep waits for room, and when it was put into the trash from which state."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; no sweep waits or is deleted."""
    with op.batch_alter_table("sweeps") as sweeps:
        sweeps.add_column(sa.Column("paused", sa.Text(), nullable=True))
        sweeps.add_column(sa.Column("deleted", sa.Float(), nullable=True))
        sweeps.add_column(sa.Column("state_before", sa.String(length=16), nullable=True))


def downgrade() -> None:
    """Remove the columns; a deleted sweep is what it was."""
    op.execute("UPDATE sweeps SET state = state_before WHERE state = 'deleted'")
    with op.batch_alter_table("sweeps") as sweeps:
        sweeps.drop_column("state_before")
        sweeps.drop_column("deleted")
        sweeps.drop_column("paused")
