"""The first run: what was said about its steps."""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "first_step",
        sa.Column("key", sa.String(length=20), nullable=False),
        sa.Column("said", sa.String(length=24), nullable=False),
        sa.Column("by_name", sa.String(length=60), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_first_step")),
    )


def downgrade() -> None:
    """Undo."""
    op.drop_table("first_step")
