"""Broadcasts that were stored on PostgreSQL as meant for -1 loudspeakers are meant for as many as they were."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None

broadcast = sa.table("broadcast", sa.column("id", sa.Uuid()), sa.column("speakers_meant", sa.Integer()))
delivery = sa.table("speaker_delivery", sa.column("broadcast_id", sa.Uuid()))


def upgrade() -> None:
    """Apply. A row stands in `speaker_delivery` for each loudspeaker that was meant, and none is ever deleted."""
    meant = sa.select(sa.func.count()).where(delivery.c.broadcast_id == broadcast.c.id).scalar_subquery()
    op.execute(sa.update(broadcast).where(broadcast.c.speakers_meant < 0).values(speakers_meant=meant))


def downgrade() -> None:
    """Undo nothing: the figures were wrong before."""
