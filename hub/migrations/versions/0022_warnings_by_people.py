"""No warning goes out without a person: the columns kept for that are gone."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("trusted_sender", schema=None) as batch_op:
        batch_op.drop_column("at_once")
        batch_op.drop_column("by_id")


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("trusted_sender", schema=None) as batch_op:
        batch_op.add_column(sa.Column("by_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("at_once", sa.Boolean(), nullable=False, server_default=sa.false()))
