"""Wall displays: the screens there are."""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply."""
    op.create_table(
        "wall_screen",
        sa.Column("token_hash", sa.LargeBinary(length=32), nullable=False),
        sa.Column("code", sa.String(length=8), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("origin", sa.String(length=60), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("region_path", sa.String(length=64), nullable=False),
        sa.Column("made_by_name", sa.String(length=60), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_wall_screen")),
        sa.UniqueConstraint("code", name=op.f("uq_wall_screen_code")),
    )
    with op.batch_alter_table("wall_screen", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_wall_screen_region_path"), ["region_path"], unique=False)


def downgrade() -> None:
    """Undo."""
    op.drop_table("wall_screen")
