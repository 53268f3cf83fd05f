"""What old broadcasts came to in each place, added up."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "village_sum",
        sa.Column("broadcast_id", sa.Uuid(), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("theme", sa.String(length=24), nullable=False),
        sa.Column("meant", sa.Integer(), nullable=False),
        sa.Column("answered", sa.Integer(), nullable=False),
        sa.Column("finished", sa.Integer(), nullable=False),
        sa.Column("played_ms", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("minute", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("broadcast_id", "region_path", name=op.f("pk_village_sum")),
    )
    with op.batch_alter_table("village_sum", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_village_sum_released_at"), ["released_at"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table("village_sum")
