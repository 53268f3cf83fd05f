"""An emergency's deliveries are written after its commands have gone out."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("play_order", schema=None) as batch_op:
        batch_op.add_column(sa.Column("listed", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.create_index(
            "ix_play_order_unlisted",
            ["created_at"],
            unique=False,
            sqlite_where=sa.text("NOT listed"),
            postgresql_where=sa.text("NOT listed"),
        )


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("play_order", schema=None) as batch_op:
        batch_op.drop_index("ix_play_order_unlisted")
        batch_op.drop_column("listed")
