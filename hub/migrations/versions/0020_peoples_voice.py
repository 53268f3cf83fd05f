"""Complaints, villages' pages, answers from the spot, hand-over notes."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

KEPT = ("duty_handover", "duty_handover_entry")
REFUSAL = "entries of this table are never changed or deleted"


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "complaint",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("way", sa.String(length=24), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("broadcast_id", sa.Uuid(), nullable=True),
        sa.Column("speaker_id", sa.String(length=32), nullable=False),
        sa.Column("inbound_id", sa.Uuid(), nullable=True),
        sa.Column("phone_index", sa.LargeBinary(length=16), nullable=True),
        sa.Column("sealed", sa.LargeBinary(length=80), nullable=False),
        sa.Column("masked", sa.String(length=24), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("assigned_to", sa.Uuid(), nullable=True),
        sa.Column("assigned_name", sa.String(length=60), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by_name", sa.String(length=60), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint")),
        sa.UniqueConstraint("inbound_id", name=op.f("uq_complaint_inbound_id")),
    )
    with op.batch_alter_table("complaint", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_complaint_assigned_to"), ["assigned_to"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_broadcast_id"), ["broadcast_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_phone_index"), ["phone_index"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_received_at"), ["received_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_region_path_state"), ["region_path", "state"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_speaker_id"), ["speaker_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_complaint_state_due_at"), ["state", "due_at"], unique=False)

    op.create_table(
        "duty_handover",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.String(length=14), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=True),
        sa.Column("written_by_name", sa.String(length=60), nullable=False),
        sa.Column("happened", sa.Text(), nullable=False),
        sa.Column("open_matters", sa.Text(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_handover")),
    )
    with op.batch_alter_table("duty_handover", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_duty_handover_region_path_written_at"), ["region_path", "written_at"], unique=False
        )

    op.create_table(
        "hearing_answer",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("broadcast_id", sa.Uuid(), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("speaker_id", sa.String(length=32), nullable=False),
        sa.Column("verdict", sa.String(length=24), nullable=False),
        sa.Column("who", sa.String(length=40), nullable=False),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("way", sa.String(length=24), nullable=False),
        sa.Column("sounded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_hearing_answer")),
        sa.UniqueConstraint(
            "broadcast_id",
            "region_path",
            "speaker_id",
            "who",
            name=op.f("uq_hearing_answer_broadcast_id_region_path_speaker_id_who"),
        ),
    )
    with op.batch_alter_table("hearing_answer", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_hearing_answer_region_path_sounded_at"), ["region_path", "sounded_at"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_hearing_answer_speaker_id_sounded_at"), ["speaker_id", "sounded_at"], unique=False
        )

    op.create_table(
        "hearing_question",
        sa.Column("run_id", sa.Uuid(), nullable=False),
        sa.Column("broadcast_id", sa.Uuid(), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("asked_by_name", sa.String(length=60), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_hearing_question")),
    )
    with op.batch_alter_table("hearing_question", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_hearing_question_broadcast_id"), ["broadcast_id"], unique=False)

    op.create_table(
        "complaint_step",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("complaint_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("deed", sa.String(length=24), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["complaint_id"],
            ["complaint.id"],
            name=op.f("fk_complaint_step_complaint_id_complaint"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_complaint_step")),
    )
    with op.batch_alter_table("complaint_step", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_complaint_step_complaint_id"), ["complaint_id"], unique=False)

    op.create_table(
        "duty_handover_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("handover_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by", sa.Uuid(), nullable=True),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("confirms", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["handover_id"], ["duty_handover.id"], name=op.f("fk_duty_handover_entry_handover_id_duty_handover")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_handover_entry")),
    )
    with op.batch_alter_table("duty_handover_entry", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_duty_handover_entry_handover_id"), ["handover_id"], unique=False)
        batch_op.create_index(
            "uq_duty_handover_entry_confirmed",
            ["handover_id"],
            unique=True,
            sqlite_where=sa.text("confirms"),
            postgresql_where=sa.text("confirms"),
        )

    op.create_table(
        "village_page",
        sa.Column("region_code", sa.String(length=14), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("token", sa.String(length=24), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("changed_by_name", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["region_code"], ["region.code"], name=op.f("fk_village_page_region_code_region")),
        sa.PrimaryKeyConstraint("region_code", name=op.f("pk_village_page")),
        sa.UniqueConstraint("token", name=op.f("uq_village_page_token")),
    )
    for table in KEPT:
        _keep(table)


def _keep(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE OR REPLACE FUNCTION {table}_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ "
            f"BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$"
        )
        op.execute(
            f"CREATE OR REPLACE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
            f"EXECUTE FUNCTION {table}_is_kept()"
        )
        return
    for verb in ("update", "delete"):
        op.execute(
            f"CREATE TRIGGER IF NOT EXISTS {table}_kept_{verb} BEFORE {verb.upper()} ON {table} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )


def downgrade() -> None:
    """Take back."""
    for table in (
        "village_page",
        "duty_handover_entry",
        "complaint_step",
        "hearing_question",
        "hearing_answer",
        "duty_handover",
        "complaint",
    ):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in KEPT:
            op.execute(f"DROP FUNCTION IF EXISTS {table}_is_kept()")
