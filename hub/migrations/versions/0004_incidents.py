"""Alerts belong to incidents; what ends an alert is kept with it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "incident",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("mode", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("hazard", sa.String(length=20), nullable=False),
        sa.Column("colour", sa.String(length=24), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened_by_name", sa.String(length=60), nullable=False),
        sa.Column("touched_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by_name", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident")),
    )
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_home_path_opened_at"), ["home_path", "opened_at"], unique=False)
        batch_op.create_index(batch_op.f("ix_incident_state_home_path"), ["state", "home_path"], unique=False)

    op.create_table(
        "incident_note",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_incident_note_incident_id_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_note")),
    )
    with op.batch_alter_table("incident_note", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_note_incident_id"), ["incident_id"], unique=False)

    op.create_table(
        "incident_source",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("issuer", sa.String(length=60), nullable=False),
        sa.Column("reference", sa.String(length=120), nullable=False),
        sa.Column("title", sa.String(length=120), nullable=False),
        sa.Column("colour", sa.String(length=24), nullable=True),
        sa.Column("document_id", sa.Uuid(), nullable=True),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["incident_id"], ["incident.id"], name=op.f("fk_incident_source_incident_id_incident")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_incident_source")),
        sa.UniqueConstraint(
            "incident_id",
            "kind",
            "issuer",
            "reference",
            name=op.f("uq_incident_source_incident_id_kind_issuer_reference"),
        ),
    )
    with op.batch_alter_table("incident_source", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_incident_source_incident_id"), ["incident_id"], unique=False)

    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.add_column(sa.Column("mode", sa.String(length=24), nullable=False, server_default="live"))
        batch_op.add_column(sa.Column("act", sa.String(length=24), nullable=False, server_default="alert"))
        batch_op.add_column(sa.Column("authority", sa.String(length=24), nullable=False, server_default="plan"))
        batch_op.add_column(sa.Column("incident_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("follows_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("plan_id", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("plan_version", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("issuer", sa.String(length=60), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("issuer_ref", sa.String(length=120), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("reason", sa.Text(), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("confirmed_by", sa.Uuid(), nullable=True))
        batch_op.add_column(sa.Column("confirmed_by_name", sa.String(length=40), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("correction", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("all_clear", sa.JSON(), nullable=False, server_default="{}"))
        batch_op.add_column(sa.Column("opened_at", sa.DateTime(timezone=True), nullable=True))
        batch_op.add_column(sa.Column("mistyped", sa.Integer(), nullable=False, server_default="0"))
        batch_op.create_index(batch_op.f("ix_alert_follows_id"), ["follows_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_alert_incident_id"), ["incident_id"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("alert", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_alert_incident_id"))
        batch_op.drop_index(batch_op.f("ix_alert_follows_id"))
        batch_op.drop_column("mistyped")
        batch_op.drop_column("opened_at")
        batch_op.drop_column("all_clear")
        batch_op.drop_column("correction")
        batch_op.drop_column("confirmed_by_name")
        batch_op.drop_column("confirmed_by")
        batch_op.drop_column("confirmed_at")
        batch_op.drop_column("reason")
        batch_op.drop_column("issuer_ref")
        batch_op.drop_column("issuer")
        batch_op.drop_column("plan_version")
        batch_op.drop_column("plan_id")
        batch_op.drop_column("follows_id")
        batch_op.drop_column("incident_id")
        batch_op.drop_column("authority")
        batch_op.drop_column("act")
        batch_op.drop_column("mode")

    with op.batch_alter_table("incident_source", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_source_incident_id"))

    op.drop_table("incident_source")
    with op.batch_alter_table("incident_note", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_note_incident_id"))

    op.drop_table("incident_note")
    with op.batch_alter_table("incident", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_incident_state_home_path"))
        batch_op.drop_index(batch_op.f("ix_incident_home_path_opened_at"))

    op.drop_table("incident")
