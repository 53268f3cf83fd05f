"""Practice: what people write and answer to learn it."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "practice_work",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("state", sa.String(length=24), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("title", sa.String(length=60), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("written_by", sa.Uuid(), nullable=False),
        sa.Column("written_by_name", sa.String(length=40), nullable=False),
        sa.Column("written_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("passed_by", sa.Uuid(), nullable=True),
        sa.Column("passed_by_name", sa.String(length=40), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("broadcast_id", sa.Uuid(), nullable=True),
        sa.CheckConstraint(
            "passed_by IS NULL OR passed_by <> written_by", name=op.f("ck_practice_work_two_pairs_of_eyes")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_practice_work")),
    )
    with op.batch_alter_table("practice_work", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_practice_work_kind_written_by"), ["kind", "written_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_practice_work_passed_by"), ["passed_by"], unique=False)
        batch_op.create_index(batch_op.f("ix_practice_work_state_region_path"), ["state", "region_path"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table("practice_work")
