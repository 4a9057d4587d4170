"""The priority of a sweep: how many turns it gets beside others."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; sweeps entered before are normal."""
    with op.batch_alter_table("sweeps") as sweeps:
        sweeps.add_column(
            sa.Column("priority", sa.String(16), nullable=False, server_default="normal")
        )


def downgrade() -> None:
    """Remove the column."""
    with op.batch_alter_table("sweeps") as sweeps:
        sweeps.drop_column("priority")
