"""Official warnings come in and go out; regions have borders."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "bulletin_document",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.LargeBinary(length=32), nullable=True),
        sa.Column("fingerprint", sa.LargeBinary(length=32), nullable=False),
        sa.Column("door", sa.String(length=24), nullable=False),
        sa.Column("feed_id", sa.Uuid(), nullable=True),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("sender", sa.String(length=200), nullable=False),
        sa.Column("identifier", sa.String(length=200), nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=True),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("signed", sa.String(length=12), nullable=False),
        sa.Column("verdicts", sa.JSON(), nullable=False),
        sa.Column("findings", sa.JSON(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulletin_document")),
        sa.UniqueConstraint("key", name=op.f("uq_bulletin_document_key")),
    )
    with op.batch_alter_table("bulletin_document", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bulletin_document_feed_id"), ["feed_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_bulletin_document_fingerprint"), ["fingerprint"], unique=False)
        batch_op.create_index(batch_op.f("ix_bulletin_document_received_at"), ["received_at"], unique=False)

    op.create_table(
        "cap_notice",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("identifier", sa.String(length=120), nullable=False),
        sa.Column("sender", sa.String(length=200), nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=False),
        sa.Column("xml", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_cap_notice")),
        sa.UniqueConstraint("alert_id", "purpose", name=op.f("uq_cap_notice_alert_id_purpose")),
        sa.UniqueConstraint("identifier", name=op.f("uq_cap_notice_identifier")),
    )
    with op.batch_alter_table("cap_notice", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_cap_notice_ends"), ["ends"], unique=False)
        batch_op.create_index(batch_op.f("ix_cap_notice_incident_id"), ["incident_id"], unique=False)

    op.create_table(
        "trusted_sender",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("sender", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("needs_signature", sa.Boolean(), nullable=False),
        sa.Column("at_once", sa.Boolean(), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=True),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_trusted_sender")),
        sa.UniqueConstraint("sender", name=op.f("uq_trusted_sender_sender")),
    )
    op.create_table(
        "warning_feed",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=60), nullable=False),
        sa.Column("url", sa.String(length=1000), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("only_known", sa.Boolean(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("etag", sa.String(length=200), nullable=False),
        sa.Column("modified", sa.String(length=60), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("worked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("result", sa.String(length=40), nullable=False),
        sa.Column("result_params", sa.JSON(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("seen", sa.JSON(), nullable=False),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_warning_feed")),
        sa.UniqueConstraint("url", name=op.f("uq_warning_feed_url")),
    )
    with op.batch_alter_table("warning_feed", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_warning_feed_next_at"), ["next_at"], unique=False)

    op.create_table(
        "bulletin",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("document_id", sa.Uuid(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("sender", sa.String(length=200), nullable=False),
        sa.Column("identifier", sa.String(length=200), nullable=False),
        sa.Column("sent", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purpose", sa.String(length=12), nullable=False),
        sa.Column("issuer", sa.String(length=60), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("hazard", sa.String(length=20), nullable=False),
        sa.Column("event", sa.String(length=60), nullable=False),
        sa.Column("colour", sa.String(length=24), nullable=True),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("headline", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("instruction", sa.Text(), nullable=False),
        sa.Column("codes", sa.JSON(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("begins", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_assumed", sa.Boolean(), nullable=False),
        sa.Column("over", sa.Boolean(), nullable=False),
        sa.Column("replaces_id", sa.Uuid(), nullable=True),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("alert_id", sa.Uuid(), nullable=True),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("decided_by_name", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"], ["bulletin_document.id"], name=op.f("fk_bulletin_document_id_bulletin_document")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bulletin")),
        sa.UniqueConstraint("document_id", "part", name=op.f("uq_bulletin_document_id_part")),
    )
    with op.batch_alter_table("bulletin", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_bulletin_alert_id"), ["alert_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_bulletin_identifier"), ["identifier"], unique=False)
        batch_op.create_index(batch_op.f("ix_bulletin_incident_id"), ["incident_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_bulletin_sender"), ["sender"], unique=False)
        batch_op.create_index(batch_op.f("ix_bulletin_state_home_path"), ["state", "home_path"], unique=False)

    op.create_table(
        "region_shape",
        sa.Column("code", sa.String(length=14), nullable=False),
        sa.Column("geometry", sa.JSON(), nullable=False),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["code"], ["region.code"], name=op.f("fk_region_shape_code_region")),
        sa.PrimaryKeyConstraint("code", name=op.f("pk_region_shape")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("region_shape")
    with op.batch_alter_table("bulletin", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bulletin_state_home_path"))
        batch_op.drop_index(batch_op.f("ix_bulletin_sender"))
        batch_op.drop_index(batch_op.f("ix_bulletin_incident_id"))
        batch_op.drop_index(batch_op.f("ix_bulletin_identifier"))
        batch_op.drop_index(batch_op.f("ix_bulletin_alert_id"))

    op.drop_table("bulletin")
    with op.batch_alter_table("warning_feed", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_warning_feed_next_at"))

    op.drop_table("warning_feed")
    op.drop_table("trusted_sender")
    with op.batch_alter_table("cap_notice", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_cap_notice_incident_id"))
        batch_op.drop_index(batch_op.f("ix_cap_notice_ends"))

    op.drop_table("cap_notice")
    with op.batch_alter_table("bulletin_document", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_bulletin_document_received_at"))
        batch_op.drop_index(batch_op.f("ix_bulletin_document_fingerprint"))
        batch_op.drop_index(batch_op.f("ix_bulletin_document_feed_id"))

    op.drop_table("bulletin_document")
