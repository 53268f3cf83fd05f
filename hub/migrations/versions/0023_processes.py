"""The processes of a hub on several machines, each with its line."""

import sqlalchemy as sa
from alembic import op

import hub.core.db

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "hub_process",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("role", sa.String(length=40), nullable=False),
        sa.Column("lanes", sa.String(length=60), nullable=False),
        sa.Column("machine", sa.String(length=80), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("started_at", hub.core.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("seen_at", hub.core.db.UtcDateTime(timezone=True), nullable=False),
        sa.Column("on_duty", sa.Boolean(), nullable=False),
        sa.Column("trouble", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hub_process")),
    )
    with op.batch_alter_table("hub_process", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hub_process_seen_at"), ["seen_at"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("hub_process", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_hub_process_seen_at"))
    op.drop_table("hub_process")
