"""Programme sheets, their slots and special days."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "calendar_day",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("official", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_calendar_day")),
        sa.UniqueConstraint("day", "kind", "region_path", name=op.f("uq_calendar_day_day_kind_region_path")),
    )
    with op.batch_alter_table("calendar_day", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_calendar_day_day"), ["day"], unique=False)

    op.create_table(
        "programme_sheet",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("line_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("title", sa.String(length=40), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("return_reason", sa.String(length=200), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("written_by_name", sa.String(length=40), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_by", sa.Uuid(), nullable=True),
        sa.Column("submitted_by_name", sa.String(length=40), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("approved_by", sa.Uuid(), nullable=True),
        sa.Column("approved_by_name", sa.String(length=40), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> submitted_by", name=op.f("ck_programme_sheet_two_pairs_of_eyes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_programme_sheet")),
        sa.UniqueConstraint("line_id", "version", name=op.f("uq_programme_sheet_line_id_version")),
    )
    with op.batch_alter_table("programme_sheet", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_programme_sheet_line_id"), ["line_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_programme_sheet_state_region_path"), ["state", "region_path"], unique=False
        )

    with op.batch_alter_table("occurrence", schema=None) as batch_op:
        batch_op.add_column(sa.Column("title", sa.String(length=60), server_default="", nullable=False))
        batch_op.add_column(sa.Column("audio_ms", sa.Integer(), server_default="0", nullable=False))
        batch_op.create_index(batch_op.f("ix_occurrence_due_at"), ["due_at"], unique=False)

    with op.batch_alter_table("slot", schema=None) as batch_op:
        batch_op.add_column(sa.Column("sheet_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("kind", sa.String(length=24), server_default="announcement", nullable=False))
        batch_op.add_column(sa.Column("subject_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("subject_hash", sa.String(length=64), server_default="", nullable=False))
        batch_op.add_column(sa.Column("title", sa.String(length=60), server_default="", nullable=False))
        batch_op.add_column(sa.Column("minutes", sa.Integer(), server_default="0", nullable=False))
        batch_op.add_column(sa.Column("volume", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("relay_url", sa.String(length=1000), server_default="", nullable=False))
        batch_op.add_column(sa.Column("days", sa.JSON(), server_default="{}", nullable=False))
        batch_op.alter_column("announcement_id", existing_type=sa.Uuid(), nullable=True)
        batch_op.create_index(batch_op.f("ix_slot_kind_enabled"), ["kind", "enabled"], unique=False)
        batch_op.create_index(batch_op.f("ix_slot_sheet_id"), ["sheet_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_slot_subject_id"), ["subject_id"], unique=False)
        batch_op.create_foreign_key(
            batch_op.f("fk_slot_sheet_id_programme_sheet"), "programme_sheet", ["sheet_id"], ["id"]
        )


def downgrade() -> None:
    """Take back: what a sheet plays without an announcement behind it was not known before."""
    without = "SELECT id FROM slot WHERE announcement_id IS NULL"
    op.execute(f"DELETE FROM occurrence WHERE slot_id IN ({without})")  # noqa: S608 - our own words
    op.execute("DELETE FROM slot WHERE announcement_id IS NULL")
    with op.batch_alter_table("slot", schema=None) as batch_op:
        batch_op.drop_constraint(batch_op.f("fk_slot_sheet_id_programme_sheet"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_slot_subject_id"))
        batch_op.drop_index(batch_op.f("ix_slot_sheet_id"))
        batch_op.drop_index(batch_op.f("ix_slot_kind_enabled"))
        batch_op.alter_column("announcement_id", existing_type=sa.Uuid(), nullable=False)
        batch_op.drop_column("days")
        batch_op.drop_column("relay_url")
        batch_op.drop_column("volume")
        batch_op.drop_column("minutes")
        batch_op.drop_column("title")
        batch_op.drop_column("subject_hash")
        batch_op.drop_column("subject_id")
        batch_op.drop_column("kind")
        batch_op.drop_column("sheet_id")

    with op.batch_alter_table("occurrence", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_occurrence_due_at"))
        batch_op.drop_column("audio_ms")
        batch_op.drop_column("title")

    with op.batch_alter_table("programme_sheet", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_programme_sheet_state_region_path"))
        batch_op.drop_index(batch_op.f("ix_programme_sheet_line_id"))

    op.drop_table("programme_sheet")
    with op.batch_alter_table("calendar_day", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_calendar_day_day"))

    op.drop_table("calendar_day")
