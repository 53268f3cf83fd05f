"""Loudspeakers join, are looked after, keep a sheet of coming plays."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "sheet_play",
        sa.Column("broadcast_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("targets", sa.JSON(), nullable=False),
        sa.Column("audio_sha256", sa.String(length=64), nullable=False),
        sa.Column("audio_bytes", sa.Integer(), nullable=False),
        sa.Column("audio_ms", sa.Integer(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("volume", sa.Integer(), nullable=True),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("laid_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("stop_seq", sa.BigInteger(), nullable=True),
        sa.Column("stop_sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("broadcast_id", name=op.f("pk_sheet_play")),
    )
    with op.batch_alter_table("sheet_play", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sheet_play_state_starts_at"), ["state", "starts_at"], unique=False)

    op.create_table(
        "shout",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("form_key", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("audience", sa.JSON(), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("voice_sha256", sa.String(length=64), nullable=False),
        sa.Column("audio_sha256", sa.String(length=64), nullable=False),
        sa.Column("audio_ms", sa.Integer(), nullable=False),
        sa.Column("audio_bytes", sa.Integer(), nullable=False),
        sa.Column("colour", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", sa.String(length=12), nullable=False),
        sa.Column("broadcast_id", sa.Uuid(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_shout")),
        sa.UniqueConstraint("form_key", name=op.f("uq_shout_form_key")),
    )
    with op.batch_alter_table("shout", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_shout_broadcast_id"), ["broadcast_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_shout_by_id_made_at"), ["by_id", "made_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_shout_state_made_at"), ["state", "made_at"], unique=False)

    with op.batch_alter_table("announcement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("relay_url", sa.String(length=1000), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("relay_minutes", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("relay_found", sa.String(length=24), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("relay_level_db", sa.Integer(), nullable=True))

    op.create_table(
        "stop_order",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.String(length=14), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("upto", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by_name", sa.String(length=60), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("next_resend_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resends", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stop_order")),
    )
    with op.batch_alter_table("stop_order", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_stop_order_made_at"), ["made_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_stop_order_region_path"), ["region_path"], unique=False)

    op.create_table(
        "speaker_alarm",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("speaker_id", sa.String(length=32), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("acknowledged_by_name", sa.String(length=60), nullable=False),
        sa.Column("snoozed_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["speaker_id"], ["speaker.id"], name=op.f("fk_speaker_alarm_speaker_id_speaker")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_speaker_alarm")),
    )
    with op.batch_alter_table("speaker_alarm", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_speaker_alarm_ended_at_region_path"), ["ended_at", "region_path"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_speaker_alarm_speaker_id_code_ended_at"), ["speaker_id", "code", "ended_at"], unique=False
        )

    op.create_table(
        "speaker_claim",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("speaker_id", sa.String(length=32), nullable=True),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("papers", sa.Text(), nullable=False),
        sa.Column("serial", sa.String(length=60), nullable=False),
        sa.Column("model", sa.String(length=40), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("address", sa.String(length=60), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("made_by_name", sa.String(length=60), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["speaker_id"], ["speaker.id"], name=op.f("fk_speaker_claim_speaker_id_speaker")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_speaker_claim")),
    )
    with op.batch_alter_table("speaker_claim", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_speaker_claim_state_seen_at"), ["state", "seen_at"], unique=False)

    op.create_table(
        "speaker_event",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("speaker_id", sa.String(length=32), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("code", sa.String(length=32), nullable=False),
        sa.Column("detail", sa.String(length=200), nullable=False),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.ForeignKeyConstraint(["speaker_id"], ["speaker.id"], name=op.f("fk_speaker_event_speaker_id_speaker")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_speaker_event")),
    )
    with op.batch_alter_table("speaker_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_speaker_event_at"), ["at"], unique=False)
        batch_op.create_index(batch_op.f("ix_speaker_event_speaker_id_at"), ["speaker_id", "at"], unique=False)

    op.create_table(
        "speaker_repair",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("speaker_id", sa.String(length=32), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by_name", sa.String(length=60), nullable=False),
        sa.Column("taken_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("taken_by_name", sa.String(length=60), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by_name", sa.String(length=60), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["speaker_id"], ["speaker.id"], name=op.f("fk_speaker_repair_speaker_id_speaker")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_speaker_repair")),
    )
    with op.batch_alter_table("speaker_repair", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_speaker_repair_done_at_region_path"), ["done_at", "region_path"], unique=False
        )
        batch_op.create_index(
            batch_op.f("ix_speaker_repair_speaker_id_done_at"), ["speaker_id", "done_at"], unique=False
        )

    op.create_table(
        "speaker_command",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("speaker_id", sa.String(length=32), nullable=False),
        sa.Column("deed", sa.String(length=24), nullable=False),
        sa.Column("detail", sa.String(length=40), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("heard_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["speaker_id"], ["speaker.id"], name=op.f("fk_speaker_command_speaker_id_speaker")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_speaker_command")),
    )
    with op.batch_alter_table("speaker_command", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_speaker_command_sent_at"), ["sent_at"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_speaker_command_speaker_id_sent_at"), ["speaker_id", "sent_at"], unique=False
        )

    op.create_table(
        "speaker_self_test",
        sa.Column("speaker_id", sa.String(length=32), nullable=False),
        sa.Column("command_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("passed", sa.Boolean(), nullable=True),
        sa.Column("report", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["speaker_id"], ["speaker.id"], name=op.f("fk_speaker_self_test_speaker_id_speaker")),
        sa.PrimaryKeyConstraint("speaker_id", name=op.f("pk_speaker_self_test")),
    )
    with op.batch_alter_table("play_order", schema=None) as batch_op:
        batch_op.add_column(sa.Column("stream_url", sa.String(length=1000), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("shout", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("length_ms", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("repeat", sa.Integer(), nullable=False, server_default="1"))
        batch_op.add_column(sa.Column("gap_ms", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("mode", sa.String(length=5), nullable=False, server_default="live"))
        batch_op.add_column(sa.Column("severity", sa.String(length=8), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("by_name", sa.String(length=60), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("pack", sa.String(length=32), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("text", sa.String(length=800), nullable=False, server_default=""))

    with op.batch_alter_table("play_receipt", schema=None) as batch_op:
        batch_op.add_column(sa.Column("volume", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("used", sa.String(length=8), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("offset_ms", sa.BigInteger(), nullable=True))
        batch_op.drop_index(batch_op.f("ix_play_receipt_command_id"))
        batch_op.create_index(
            batch_op.f("ix_play_receipt_command_id_speaker_id"), ["command_id", "speaker_id"], unique=False
        )

    with op.batch_alter_table("speaker", schema=None) as batch_op:
        batch_op.add_column(sa.Column("volumes", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("lead_in_ms", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("drill", sa.Boolean(), nullable=False, server_default=sa.false()))
        batch_op.add_column(sa.Column("settings_version", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("settings_sha256", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("settings_taken", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("settings_keys", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("keys_taken", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("moved_seq", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("place", sa.String(length=80), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("lat", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("lon", sa.Double(), nullable=True))
        batch_op.add_column(sa.Column("keeper", sa.String(length=40), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("households", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("model", sa.String(length=40), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("installed_on", sa.Date(), nullable=True))
        batch_op.add_column(sa.Column("note", sa.String(length=200), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("replaces", sa.String(length=32), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("amp", sa.String(length=8), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("mains", sa.Boolean(), nullable=True))
        batch_op.add_column(sa.Column("battery", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("temperature", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("signal_dbm", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("free_bytes", sa.BigInteger(), nullable=True))
        batch_op.add_column(sa.Column("pack_count", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("bad_messages", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("faults", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("receipts_to", sa.BigInteger(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("records_asked_at", sa.DateTime(timezone=True), nullable=True))

    with op.batch_alter_table("speaker_delivery", schema=None) as batch_op:
        batch_op.add_column(sa.Column("volume", sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column("used", sa.String(length=8), nullable=False, server_default=""))
        batch_op.drop_constraint(batch_op.f("fk_speaker_delivery_speaker_id_speaker"), type_="foreignkey")
        batch_op.drop_index(batch_op.f("ix_speaker_delivery_broadcast_id_state"))
        batch_op.create_index(
            batch_op.f("ix_speaker_delivery_command_id_speaker_id"), ["command_id", "speaker_id"], unique=False
        )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE speaker_delivery SET (fillfactor = 60)")


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("speaker_delivery", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_speaker_delivery_command_id_speaker_id"))
        batch_op.create_index(
            batch_op.f("ix_speaker_delivery_broadcast_id_state"), ["broadcast_id", "state"], unique=False
        )
        batch_op.create_foreign_key(
            batch_op.f("fk_speaker_delivery_speaker_id_speaker"), "speaker", ["speaker_id"], ["id"]
        )
        batch_op.drop_column("used")
        batch_op.drop_column("volume")

    with op.batch_alter_table("speaker", schema=None) as batch_op:
        batch_op.drop_column("records_asked_at")
        batch_op.drop_column("receipts_to")
        batch_op.drop_column("faults")
        batch_op.drop_column("bad_messages")
        batch_op.drop_column("pack_count")
        batch_op.drop_column("free_bytes")
        batch_op.drop_column("signal_dbm")
        batch_op.drop_column("temperature")
        batch_op.drop_column("battery")
        batch_op.drop_column("mains")
        batch_op.drop_column("amp")
        batch_op.drop_column("replaces")
        batch_op.drop_column("note")
        batch_op.drop_column("installed_on")
        batch_op.drop_column("model")
        batch_op.drop_column("households")
        batch_op.drop_column("keeper")
        batch_op.drop_column("lon")
        batch_op.drop_column("lat")
        batch_op.drop_column("place")
        batch_op.drop_column("moved_seq")
        batch_op.drop_column("moved_at")
        batch_op.drop_column("keys_taken")
        batch_op.drop_column("settings_keys")
        batch_op.drop_column("settings_taken")
        batch_op.drop_column("settings_sha256")
        batch_op.drop_column("settings_version")
        batch_op.drop_column("drill")
        batch_op.drop_column("lead_in_ms")
        batch_op.drop_column("volumes")

    with op.batch_alter_table("play_receipt", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_play_receipt_command_id_speaker_id"))
        batch_op.create_index(batch_op.f("ix_play_receipt_command_id"), ["command_id"], unique=False)
        batch_op.drop_column("offset_ms")
        batch_op.drop_column("used")
        batch_op.drop_column("volume")

    with op.batch_alter_table("play_order", schema=None) as batch_op:
        batch_op.drop_column("text")
        batch_op.drop_column("pack")
        batch_op.drop_column("by_name")
        batch_op.drop_column("severity")
        batch_op.drop_column("mode")
        batch_op.drop_column("gap_ms")
        batch_op.drop_column("repeat")
        batch_op.drop_column("shout")
        batch_op.drop_column("length_ms")
        batch_op.drop_column("stream_url")

    op.drop_table("speaker_self_test")
    with op.batch_alter_table("speaker_command", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_speaker_command_speaker_id_sent_at"))
        batch_op.drop_index(batch_op.f("ix_speaker_command_sent_at"))

    op.drop_table("speaker_command")
    with op.batch_alter_table("speaker_repair", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_speaker_repair_speaker_id_done_at"))
        batch_op.drop_index(batch_op.f("ix_speaker_repair_done_at_region_path"))

    op.drop_table("speaker_repair")
    with op.batch_alter_table("speaker_event", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_speaker_event_speaker_id_at"))
        batch_op.drop_index(batch_op.f("ix_speaker_event_at"))

    op.drop_table("speaker_event")
    with op.batch_alter_table("speaker_claim", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_speaker_claim_state_seen_at"))

    op.drop_table("speaker_claim")
    with op.batch_alter_table("speaker_alarm", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_speaker_alarm_speaker_id_code_ended_at"))
        batch_op.drop_index(batch_op.f("ix_speaker_alarm_ended_at_region_path"))

    op.drop_table("speaker_alarm")
    with op.batch_alter_table("stop_order", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_stop_order_region_path"))
        batch_op.drop_index(batch_op.f("ix_stop_order_made_at"))

    op.drop_table("stop_order")
    with op.batch_alter_table("announcement", schema=None) as batch_op:
        batch_op.drop_column("relay_level_db")
        batch_op.drop_column("relay_found")
        batch_op.drop_column("relay_minutes")
        batch_op.drop_column("relay_url")

    with op.batch_alter_table("shout", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_shout_state_made_at"))
        batch_op.drop_index(batch_op.f("ix_shout_by_id_made_at"))
        batch_op.drop_index(batch_op.f("ix_shout_broadcast_id"))

    op.drop_table("shout")
    with op.batch_alter_table("sheet_play", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sheet_play_state_starts_at"))

    op.drop_table("sheet_play")
