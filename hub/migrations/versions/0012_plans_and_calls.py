"""Plans with their versions, the duty roster, calls to people on it, and what is left to do by foot."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "call",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("region_code", sa.String(length=14), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by_name", sa.String(length=60), nullable=False),
        sa.Column("how", sa.String(length=24), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call")),
        sa.UniqueConstraint("alert_id", "region_path", name=op.f("uq_call_alert_id_region_path")),
    )
    with op.batch_alter_table("call", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_call_alert_id"), ["alert_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_call_incident_id"), ["incident_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_call_state_next_at"), ["state", "next_at"], unique=False)

    op.create_table(
        "duty_person",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.String(length=14), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=40), nullable=False),
        sa.Column("phone_index", sa.LargeBinary(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(length=80), nullable=False),
        sa.Column("masked", sa.String(length=24), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("removed_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_person")),
    )
    with op.batch_alter_table("duty_person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_duty_person_phone_index"), ["phone_index"], unique=False)
        batch_op.create_index(batch_op.f("ix_duty_person_region_path_turn"), ["region_path", "turn"], unique=False)

    op.create_table(
        "errand",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("alert_id", sa.Uuid(), nullable=False),
        sa.Column("incident_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("region_code", sa.String(length=14), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("households", sa.Integer(), nullable=True),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_by_name", sa.String(length=60), nullable=False),
        sa.Column("result", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_errand")),
        sa.UniqueConstraint("alert_id", "kind", "subject", name=op.f("uq_errand_alert_id_kind_subject")),
    )
    with op.batch_alter_table("errand", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_errand_incident_id_closed_at"), ["incident_id", "closed_at"], unique=False)

    op.create_table(
        "plan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.String(length=14), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("hazard", sa.String(length=20), nullable=False),
        sa.Column("colour", sa.String(length=24), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_plan")),
        sa.UniqueConstraint("region_code", "hazard", "colour", name=op.f("uq_plan_region_code_hazard_colour")),
    )
    with op.batch_alter_table("plan", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_home_path"), ["home_path"], unique=False)

    op.create_table(
        "call_try",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=40), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("phone_index", sa.LargeBinary(length=16), nullable=False),
        sa.Column("masked", sa.String(length=24), nullable=False),
        sa.Column("account_id", sa.Uuid(), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("how", sa.String(length=24), nullable=True),
        sa.ForeignKeyConstraint(["call_id"], ["call.id"], name=op.f("fk_call_try_call_id_call")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_call_try")),
        sa.UniqueConstraint("call_id", "person_id", name=op.f("uq_call_try_call_id_person_id")),
    )
    with op.batch_alter_table("call_try", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_call_try_call_id"), ["call_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_call_try_phone_index_sent_at"), ["phone_index", "sent_at"], unique=False)

    op.create_table(
        "duty_shift",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("person_id", sa.Uuid(), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["duty_person.id"], name=op.f("fk_duty_shift_person_id_duty_person")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_duty_shift")),
    )
    with op.batch_alter_table("duty_shift", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_duty_shift_person_id"), ["person_id"], unique=False)
        batch_op.create_index(
            batch_op.f("ix_duty_shift_region_path_starts_at"), ["region_path", "starts_at"], unique=False
        )

    op.create_table(
        "plan_version",
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("speech", sa.Text(), nullable=False),
        sa.Column("sms", sa.Text(), nullable=False),
        sa.Column("correction_speech", sa.Text(), nullable=False),
        sa.Column("correction_sms", sa.Text(), nullable=False),
        sa.Column("clear_speech", sa.Text(), nullable=False),
        sa.Column("clear_sms", sa.Text(), nullable=False),
        sa.Column("regions", sa.JSON(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("written_by_name", sa.String(length=60), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("handed_in_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_by", sa.Uuid(), nullable=True),
        sa.Column("first_by_name", sa.String(length=60), nullable=False),
        sa.Column("first_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("second_by", sa.Uuid(), nullable=True),
        sa.Column("second_by_name", sa.String(length=60), nullable=False),
        sa.Column("second_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_name", sa.String(length=60), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.CheckConstraint("first_by <> second_by", name=op.f("ck_plan_version_two_different_people")),
        sa.CheckConstraint(
            "first_by <> written_by AND second_by <> written_by", name=op.f("ck_plan_version_never_the_author")
        ),
        sa.ForeignKeyConstraint(["plan_id"], ["plan.id"], name=op.f("fk_plan_version_plan_id_plan")),
        sa.PrimaryKeyConstraint("plan_id", "version", name=op.f("pk_plan_version")),
    )
    with op.batch_alter_table("plan_version", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_plan_version_state"), ["state"], unique=False)


def downgrade() -> None:
    """Take back."""
    with op.batch_alter_table("plan_version", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_plan_version_state"))

    op.drop_table("plan_version")
    with op.batch_alter_table("duty_shift", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_duty_shift_region_path_starts_at"))
        batch_op.drop_index(batch_op.f("ix_duty_shift_person_id"))

    op.drop_table("duty_shift")
    with op.batch_alter_table("call_try", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_call_try_phone_index_sent_at"))
        batch_op.drop_index(batch_op.f("ix_call_try_call_id"))

    op.drop_table("call_try")
    with op.batch_alter_table("plan", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_plan_home_path"))

    op.drop_table("plan")
    with op.batch_alter_table("errand", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_errand_incident_id_closed_at"))

    op.drop_table("errand")
    with op.batch_alter_table("duty_person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_duty_person_region_path_turn"))
        batch_op.drop_index(batch_op.f("ix_duty_person_phone_index"))

    op.drop_table("duty_person")
    with op.batch_alter_table("call", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_call_state_next_at"))
        batch_op.drop_index(batch_op.f("ix_call_incident_id"))
        batch_op.drop_index(batch_op.f("ix_call_alert_id"))

    op.drop_table("call")
