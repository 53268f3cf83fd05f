"""Whose notice a broadcast was and what was passed; plans for gaps; figures somebody was told of."""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("announcement", schema=None) as batch_op:
        batch_op.add_column(sa.Column("issuer", sa.String(length=60), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("issuer_ref", sa.String(length=60), nullable=False, server_default=""))
    with op.batch_alter_table("broadcast", schema=None) as batch_op:
        batch_op.add_column(sa.Column("agreed_id", sa.Uuid(), nullable=True))
    with op.batch_alter_table("score_rule", schema=None) as batch_op:
        batch_op.add_column(sa.Column("alarm", sa.Double(), nullable=True))
    op.create_table(
        "gap_plan",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.String(length=14), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("person", sa.String(length=40), nullable=False),
        sa.Column("what", sa.String(length=200), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("made_by_name", sa.String(length=60), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("done_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("done_by_name", sa.String(length=60), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gap_plan")),
    )
    with op.batch_alter_table("gap_plan", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_gap_plan_region_path_kind"), ["region_path", "kind"], unique=False)
    op.create_table(
        "figure_alarm",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("region_code", sa.String(length=14), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("metric", sa.String(length=24), nullable=False),
        sa.Column("value", sa.Double(), nullable=False),
        sa.Column("bound", sa.Double(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_figure_alarm")),
    )
    with op.batch_alter_table("figure_alarm", schema=None) as batch_op:
        batch_op.create_index(
            batch_op.f("ix_figure_alarm_ended_at_region_path"), ["ended_at", "region_path"], unique=False
        )


def downgrade() -> None:
    """Undo."""
    op.drop_table("figure_alarm")
    op.drop_table("gap_plan")
    op.drop_column("score_rule", "alarm")
    op.drop_column("broadcast", "agreed_id")
    op.drop_column("announcement", "issuer_ref")
    op.drop_column("announcement", "issuer")
