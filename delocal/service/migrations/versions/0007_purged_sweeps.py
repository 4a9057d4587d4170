"""What purged sweeps took, for the quota of their key."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table; what was purged before is not known."""
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
    """Remove the table."""
    op.drop_index("purged_by_submitter", table_name="purged")
    op.drop_table("purged")
