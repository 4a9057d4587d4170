"""Indices by which blocks are leased and renewed without a look at all blocks of a sweep."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

HELD = sa.text("owner IS NOT NULL")


def upgrade() -> None:
    """Widen the index by state, and add one by owner."""
    op.drop_index("blocks_by_state", "blocks")
    op.create_index("blocks_by_state", "blocks", ["sweep_id", "state", "attempt", "model", "block"])
    op.create_index(
        "blocks_by_owner", "blocks", ["owner"], sqlite_where=HELD, postgresql_where=HELD
    )


def downgrade() -> None:
    """Put the narrow index back."""
    op.drop_index("blocks_by_owner", "blocks")
    op.drop_index("blocks_by_state", "blocks")
    op.create_index("blocks_by_state", "blocks", ["sweep_id", "state"])
