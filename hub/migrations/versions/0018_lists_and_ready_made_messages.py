"""Lists of residents on their way in, ready-made messages, and the telephones they are tried on."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "import_job",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("owner_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.String(length=2), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("token", sa.String(length=32), nullable=False),
        sa.Column("layout", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("rows_done", sa.Integer(), nullable=False),
        sa.Column("rows_total", sa.Integer(), nullable=False),
        sa.Column("good", sa.Integer(), nullable=False),
        sa.Column("faulty", sa.Integer(), nullable=False),
        sa.Column("merged", sa.Integer(), nullable=False),
        sa.Column("shared", sa.Integer(), nullable=False),
        sa.Column("known", sa.Integer(), nullable=False),
        sa.Column("failure", sa.String(length=60), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_job")),
    )
    with op.batch_alter_table("import_job", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_import_job_owner_id"), ["owner_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_import_job_state_lease_until"), ["state", "lease_until"], unique=False)

    op.create_table(
        "sms_template",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("title", sa.String(length=30), nullable=False),
        sa.Column("topic", sa.String(length=24), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_name", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_template")),
        sa.UniqueConstraint("title", name=op.f("uq_sms_template_title")),
    )
    op.create_table(
        "sms_test_phone",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("home_path", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("index", sa.LargeBinary(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(length=80), nullable=False),
        sa.Column("masked", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("added_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_name", sa.String(length=40), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sms_test_phone")),
        sa.UniqueConstraint("home_path", "index", name=op.f("uq_sms_test_phone_home_path_index")),
    )
    with op.batch_alter_table("sms_test_phone", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sms_test_phone_home_path"), ["home_path"], unique=False)

    op.create_table(
        "import_person",
        sa.Column("resident_id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("region_code", sa.String(length=14), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("away", sa.Boolean(), nullable=True),
        sa.Column("away_consent", sa.String(length=24), nullable=True),
        sa.Column("household", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["import_job.id"], name=op.f("fk_import_person_job_id_import_job"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("resident_id", "job_id", name=op.f("pk_import_person")),
    )
    with op.batch_alter_table("import_person", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_import_person_job_id_known"), ["job_id", "known"], unique=False)

    op.create_table(
        "import_phone",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("resident_id", sa.Uuid(), nullable=False),
        sa.Column("index", sa.LargeBinary(length=16), nullable=False),
        sa.Column("sealed", sa.LargeBinary(length=80), nullable=False),
        sa.Column("masked", sa.String(length=24), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["import_job.id"], name=op.f("fk_import_phone_job_id_import_job"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_phone")),
    )
    with op.batch_alter_table("import_phone", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_import_phone_job_id"), ["job_id"], unique=False)

    op.create_table(
        "import_tag",
        sa.Column("job_id", sa.Uuid(), nullable=False),
        sa.Column("resident_id", sa.Uuid(), nullable=False),
        sa.Column("tag", sa.String(length=20), nullable=False),
        sa.ForeignKeyConstraint(
            ["job_id"], ["import_job.id"], name=op.f("fk_import_tag_job_id_import_job"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("job_id", "resident_id", "tag", name=op.f("pk_import_tag")),
    )
    op.create_table(
        "sms_filing",
        sa.Column("template_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("code", sa.String(length=40), nullable=False),
        sa.Column("note", sa.String(length=200), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("by_name", sa.String(length=40), nullable=False),
        sa.ForeignKeyConstraint(
            ["template_id"],
            ["sms_template.id"],
            name=op.f("fk_sms_filing_template_id_sms_template"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("template_id", "provider", name=op.f("pk_sms_filing")),
    )


def downgrade() -> None:
    """Take back."""
    op.drop_table("sms_filing")
    op.drop_table("import_tag")
    with op.batch_alter_table("import_phone", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_import_phone_job_id"))

    op.drop_table("import_phone")
    with op.batch_alter_table("import_person", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_import_person_job_id_known"))

    op.drop_table("import_person")
    with op.batch_alter_table("sms_test_phone", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sms_test_phone_home_path"))

    op.drop_table("sms_test_phone")
    op.drop_table("sms_template")
    with op.batch_alter_table("import_job", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_import_job_state_lease_until"))
        batch_op.drop_index(batch_op.f("ix_import_job_owner_id"))

    op.drop_table("import_job")
