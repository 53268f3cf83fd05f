"""Voices are chosen, words get their own reading, recordings are kept by theme."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "voice_choice",
        sa.Column("language", sa.String(length=24), nullable=False),
        sa.Column("engine", sa.String(length=30), nullable=False),
        sa.Column("voice", sa.String(length=60), nullable=False),
        sa.Column("rate", sa.Integer(), nullable=False),
        sa.Column("pitch", sa.Integer(), nullable=False),
        sa.Column("gain_db", sa.Float(), nullable=False),
        sa.Column("by", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("language", name=op.f("pk_voice_choice")),
    )

    op.create_table(
        "lexicon_entry",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("word", sa.String(length=20), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("said", sa.String(length=160), nullable=False),
        sa.Column("note", sa.String(length=60), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lexicon_entry")),
        sa.UniqueConstraint("word", name=op.f("uq_lexicon_entry_word")),
    )
    op.create_table(
        "watched_word",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("word", sa.String(length=20), nullable=False),
        sa.Column("why", sa.String(length=60), nullable=False),
        sa.Column("say", sa.String(length=40), nullable=False),
        sa.Column("blocking", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("by", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_watched_word")),
        sa.UniqueConstraint("word", name=op.f("uq_watched_word_word")),
    )

    op.create_table(
        "material",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("theme", sa.String(length=24), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("sms_text", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=100), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("tags", sa.JSON(), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("to_check", sa.Boolean(), nullable=False),
        sa.Column("manner", sa.String(length=24), nullable=False),
        sa.Column("audio_sha256", sa.String(length=64), nullable=False),
        sa.Column("audio_ms", sa.Integer(), nullable=False),
        sa.Column("audio_bytes", sa.Integer(), nullable=False),
        sa.Column("peaks", sa.JSON(), nullable=False),
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
        sa.Column("used", sa.Integer(), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> submitted_by", name=op.f("ck_material_two_pairs_of_eyes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_material")),
    )
    with op.batch_alter_table("material", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_material_changed_at"), ["changed_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_material_state_home_path"), ["state", "home_path"], unique=False)
    with op.batch_alter_table("announcement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("material_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("recording_sha256", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("recording_ms", sa.Integer(), nullable=False, server_default="0"))


def downgrade() -> None:
    """Undo."""
    with op.batch_alter_table("announcement", schema=None) as batch_op:
        batch_op.drop_column("recording_ms")
        batch_op.drop_column("recording_sha256")
        batch_op.drop_column("material_id")
    op.drop_table("material")
    op.drop_table("watched_word")
    op.drop_table("lexicon_entry")
    op.drop_table("voice_choice")
