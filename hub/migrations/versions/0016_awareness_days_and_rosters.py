"""Awareness days and rosters."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "occasion_change",
        sa.Column("ref", sa.String(length=40), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("off", sa.Boolean(), nullable=False),
        sa.Column("changed_by_name", sa.String(length=40), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("ref", "home_path", name=op.f("pk_occasion_change")),
    )
    op.create_table(
        "occasion_desk",
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=False),
        sa.Column("account_name", sa.String(length=40), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("home_path", name=op.f("pk_occasion_desk")),
    )
    op.create_table(
        "round",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("title", sa.String(length=30), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.Column("at", sa.String(length=5), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("weekday", sa.Integer(), nullable=False),
        sa.Column("each", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("written_by_name", sa.String(length=40), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_by_name", sa.String(length=40), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("approved_by IS NULL OR approved_by <> written_by", name=op.f("ck_round_two_pairs_of_eyes")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round")),
    )
    with op.batch_alter_table("round", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_round_state_home_path"), ["state", "home_path"], unique=False)

    op.create_table(
        "round_call",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("round_id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("resident_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("phone_index", sa.LargeBinary(length=16), nullable=False),
        sa.Column("masked", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("broadcast_id", sa.Uuid(), nullable=True),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by_name", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name=op.f("fk_round_call_round_id_round")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_round_call")),
        sa.UniqueConstraint("round_id", "day", "resident_id", name=op.f("uq_round_call_round_id_day_resident_id")),
    )
    with op.batch_alter_table("round_call", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_round_call_phone_index_day"), ["phone_index", "day"], unique=False)
        batch_op.create_index(batch_op.f("ix_round_call_state_day"), ["state", "day"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("round_call", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_round_call_state_day"))
        batch_op.drop_index(batch_op.f("ix_round_call_phone_index_day"))

    op.drop_table("round_call")
    with op.batch_alter_table("round", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_round_state_home_path"))

    op.drop_table("round")
    op.drop_table("occasion_desk")
    op.drop_table("occasion_change")
