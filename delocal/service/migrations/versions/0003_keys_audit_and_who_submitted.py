"""Keys of the API, what their holders did, and whose a sweep is."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add both tables; sweeps submitted before belong to nobody."""
    op.create_table(
        "keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(200), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created", sa.Float(), nullable=False),
        sa.Column("expires", sa.Float(), nullable=True),
        sa.Column("revoked", sa.Float(), nullable=True),
        sa.Column("last_used", sa.Float(), nullable=True),
    )
    op.create_table(
        "audit",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=True),
        sa.Column("time", sa.Float(), nullable=False),
        sa.Column("caller", sa.String(200), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(200), nullable=True),
        sa.Column("address", sa.String(64), nullable=True),
        sa.Column("request_id", sa.String(64), nullable=True),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("sweeps") as sweeps:
        sweeps.add_column(sa.Column("submitted_by", sa.String(200), nullable=True))
        sweeps.add_column(sa.Column("expected_seconds", sa.Float(), nullable=True))
        sweeps.create_index("sweeps_by_submitter", ["submitted_by", "created"])


def downgrade() -> None:
    """Remove them."""
    with op.batch_alter_table("sweeps") as sweeps:
        sweeps.drop_index("sweeps_by_submitter")
        sweeps.drop_column("expected_seconds")
        sweeps.drop_column("submitted_by")
    op.drop_table("audit")
    op.drop_table("keys")
