"""Several reviewers, every verdict and version kept, emergencies looked at afterwards."""

from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None
REFUSAL = "entries of this table are never changed or deleted"
KEPT = ("review", "announcement_version", "after_review")


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "approval_rule",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("matter", sa.String(length=24), nullable=False),
        sa.Column("reach", sa.String(length=24), nullable=False),
        sa.Column("steps", sa.JSON(), nullable=False),
        sa.Column("changed_by", sa.String(length=60), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approval_rule")),
        sa.UniqueConstraint("region_path", "matter", "reach", name=op.f("uq_approval_rule_region_path_matter_reach")),
    )
    op.create_table(
        "review",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("announcement_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("verdict", sa.String(length=24), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("reviewer_id", sa.Uuid(), nullable=False),
        sa.Column("reviewer_name", sa.String(length=40), nullable=False),
        sa.Column("for_id", sa.Uuid(), nullable=True),
        sa.Column("for_name", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review")),
        sa.UniqueConstraint("announcement_id", "round", "step", name="uq_review_announcement_id_round_step"),
        sa.UniqueConstraint(
            "announcement_id", "round", "reviewer_id", name="uq_review_announcement_id_round_reviewer_id"
        ),
    )
    op.create_table(
        "announcement_version",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("announcement_id", sa.Uuid(), nullable=False),
        sa.Column("round", sa.Integer(), nullable=False),
        sa.Column("content", sa.JSON(), nullable=False),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("by_id", sa.Uuid(), nullable=False),
        sa.Column("by_name", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_announcement_version")),
        sa.UniqueConstraint("announcement_id", "round", name=op.f("uq_announcement_version_announcement_id_round")),
    )
    op.create_table(
        "after_review",
        sa.Column("broadcast_id", sa.Uuid(), nullable=False),
        sa.Column("proper", sa.Boolean(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("reviewer_id", sa.Uuid(), nullable=False),
        sa.Column("reviewer_name", sa.String(length=40), nullable=False),
        sa.Column("for_name", sa.String(length=40), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("broadcast_id", name=op.f("pk_after_review")),
    )
    with op.batch_alter_table("announcement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("round", sa.Integer(), nullable=False, server_default="0"))
        batch_op.add_column(sa.Column("steps", sa.JSON(), nullable=False, server_default="[]"))
        batch_op.add_column(sa.Column("step", sa.Integer(), nullable=False, server_default="0"))
    _bring_over()
    for table in KEPT:
        _keep(table)


def _bring_over() -> None:
    """What was handed in or approved before keeps its standing: one reviewer, and the verdict there was."""
    op.execute("""UPDATE announcement SET round = 1, steps = '[""]' WHERE state IN ('submitted', 'approved')""")
    op.execute("UPDATE announcement SET step = 1 WHERE state = 'approved'")
    connection = op.get_bind()
    found = sa.table(
        "announcement",
        sa.column("id", sa.Uuid()),
        sa.column("state", sa.String()),
        sa.column("content_hash", sa.String()),
        sa.column("approved_by", sa.Uuid()),
        sa.column("approved_by_name", sa.String()),
        sa.column("approved_at", sa.DateTime(timezone=True)),
    )
    kept = sa.table(
        "review",
        sa.column("id", sa.Uuid()),
        sa.column("announcement_id", sa.Uuid()),
        sa.column("round", sa.Integer()),
        sa.column("step", sa.Integer()),
        sa.column("verdict", sa.String()),
        sa.column("reason", sa.String()),
        sa.column("content_hash", sa.String()),
        sa.column("reviewer_id", sa.Uuid()),
        sa.column("reviewer_name", sa.String()),
        sa.column("for_name", sa.String()),
        sa.column("at", sa.DateTime(timezone=True)),
    )
    query = sa.select(found).where(found.c.state == "approved", found.c.approved_by.is_not(None))
    for row in connection.execute(query).all():
        connection.execute(
            sa.insert(kept).values(
                id=uuid4(),
                announcement_id=row.id,
                round=1,
                step=1,
                verdict="passed",
                reason="",
                content_hash=row.content_hash,
                reviewer_id=row.approved_by,
                reviewer_name=row.approved_by_name,
                for_name="",
                at=row.approved_at,
            )
        )


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
    """Undo."""
    with op.batch_alter_table("announcement", schema=None) as batch_op:
        for name in ("step", "steps", "round"):
            batch_op.drop_column(name)
    for table in (*reversed(KEPT), "approval_rule"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        for table in KEPT:
            op.execute(f"DROP FUNCTION IF EXISTS {table}_is_kept()")
