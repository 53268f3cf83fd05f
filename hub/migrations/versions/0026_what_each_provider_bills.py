"""What each provider would bill for a run, and whose earlier tries a run has."""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("sms_run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("tariff", sa.JSON(), nullable=False, server_default="{}"))
    with op.batch_alter_table("sms_attempt", schema=None) as batch_op:
        batch_op.add_column(sa.Column("broadcast_id", sa.Uuid(), nullable=True))
    op.execute(
        "UPDATE sms_attempt SET broadcast_id = "
        "(SELECT broadcast_id FROM sms_message WHERE sms_message.id = sms_attempt.message_id)"
    )
    op.execute("DELETE FROM sms_attempt WHERE broadcast_id IS NULL")
    with op.batch_alter_table("sms_attempt", schema=None) as batch_op:
        batch_op.alter_column("broadcast_id", existing_type=sa.Uuid(), nullable=False)
        batch_op.create_index(batch_op.f("ix_sms_attempt_broadcast_id"), ["broadcast_id"], unique=False)


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("sms_attempt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sms_attempt_broadcast_id"))
        batch_op.drop_column("broadcast_id")
    with op.batch_alter_table("sms_run", schema=None) as batch_op:
        batch_op.drop_column("tariff")
