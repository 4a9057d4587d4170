"""The cells of a block by status, so that a sweep can be counted again after a retry."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; blocks stored before have no counts."""
    with op.batch_alter_table("blocks") as blocks:
        blocks.add_column(sa.Column("counts", sa.JSON(), nullable=True))


def downgrade() -> None:
    """Remove the column."""
    with op.batch_alter_table("blocks") as blocks:
        blocks.drop_column("counts")
