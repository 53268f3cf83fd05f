"""Whom text messages are meant for, and what residents answer."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "extra_number",
        sa.Column("index", sa.LargeBinary(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(length=80), nullable=False),
        sa.Column("masked", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("index", name=op.f("pk_extra_number")),
    )
    op.create_table(
        "topic_opt_out",
        sa.Column("index", sa.LargeBinary(length=16), nullable=False),
        sa.Column("topic", sa.String(length=24), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("index", "topic", name=op.f("pk_topic_opt_out")),
    )
    op.create_table(
        "sms_inbound_step",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("inbound_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("by_name", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["inbound_id"],
            ["sms_inbound.id"],
            name=op.f("fk_sms_inbound_step_inbound_id_sms_inbound"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_inbound_step")),
    )
    with op.batch_alter_table("sms_inbound_step", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sms_inbound_step_inbound_id"), ["inbound_id"], unique=False)

    with op.batch_alter_table("announcement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sms_until", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("resident", schema=None) as batch_op:
        batch_op.add_column(sa.Column("away_consent", sa.String(length=24), server_default="unasked", nullable=False))
        batch_op.add_column(sa.Column("household", sa.String(length=40), server_default="", nullable=False))

    with op.batch_alter_table("sms_inbound", schema=None) as batch_op:
        batch_op.add_column(sa.Column("topic", sa.String(length=24), server_default="", nullable=False))
        batch_op.add_column(sa.Column("choice", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("broadcast_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("acknowledged_by_name", sa.String(length=40), server_default="", nullable=False))
        batch_op.add_column(sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.create_index(batch_op.f("ix_sms_inbound_broadcast_id"), ["broadcast_id"], unique=False)

    with op.batch_alter_table("sms_run", schema=None) as batch_op:
        batch_op.add_column(sa.Column("topic", sa.String(length=24), server_default="", nullable=False))
        batch_op.add_column(sa.Column("purpose", sa.String(length=24), server_default="broadcast", nullable=False))


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("sms_run", schema=None) as batch_op:
        batch_op.drop_column("purpose")
        batch_op.drop_column("topic")

    with op.batch_alter_table("sms_inbound", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sms_inbound_broadcast_id"))
        batch_op.drop_column("answered_at")
        batch_op.drop_column("acknowledged_by_name")
        batch_op.drop_column("acknowledged_at")
        batch_op.drop_column("broadcast_id")
        batch_op.drop_column("choice")
        batch_op.drop_column("topic")

    with op.batch_alter_table("resident", schema=None) as batch_op:
        batch_op.drop_column("household")
        batch_op.drop_column("away_consent")

    with op.batch_alter_table("announcement", schema=None) as batch_op:
        batch_op.drop_column("sms_until")

    with op.batch_alter_table("sms_inbound_step", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sms_inbound_step_inbound_id"))

    op.drop_table("sms_inbound_step")
    op.drop_table("topic_opt_out")
    op.drop_table("extra_number")
