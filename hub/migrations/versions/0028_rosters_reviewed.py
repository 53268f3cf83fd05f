"""Rosters are reviewed like everything else; a slot knows how long what it holds sounds."""

import hashlib
import json
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

TEXTS = ("kind", "title", "home_path", "words", "at", "state", "written_by_name", "approved_by_name", "content_hash")
round_ = sa.table(
    "round",
    *(sa.column(one, sa.Uuid()) for one in ("id", "written_by", "approved_by")),
    *(sa.column(one, sa.String()) for one in TEXTS),
    *(sa.column(one, sa.Date()) for one in ("first_day", "last_day")),
    *(sa.column(one, sa.Integer()) for one in ("weekday", "each")),
    *(sa.column(one, sa.DateTime(timezone=True)) for one in ("written_at", "approved_at")),
)
handed_in = sa.table(
    "handed_in",
    *(sa.column(one, sa.Uuid()) for one in ("id", "subject_id", "by_id")),
    *(sa.column(one, sa.String()) for one in ("matter", "title", "home_path", "content_hash", "by_name")),
    *(sa.column(one, sa.JSON()) for one in ("steps", "content")),
    sa.column("round", sa.Integer()),
    sa.column("at", sa.DateTime(timezone=True)),
)
review = sa.table(
    "review",
    *(sa.column(one, sa.Uuid()) for one in ("id", "subject_id", "reviewer_id")),
    *(sa.column(one, sa.String()) for one in ("verdict", "reason", "content_hash", "reviewer_name", "for_name")),
    *(sa.column(one, sa.Integer()) for one in ("round", "step")),
    sa.column("at", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    """Apply."""
    with op.batch_alter_table("slot", schema=None) as batch_op:
        batch_op.add_column(sa.Column("lasts_ms", sa.Integer(), nullable=False, server_default="0"))
    with op.batch_alter_table("round", schema=None) as batch_op:
        batch_op.add_column(sa.Column("content_hash", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("return_reason", sa.String(length=200), nullable=False, server_default=""))
    rows = op.get_bind().execute(sa.select(round_).where(round_.c.state.in_(("waiting", "on")))).all()
    for row in rows:
        _bring(row)


def _bring(row: sa.Row[tuple[object, ...]]) -> None:
    """What waited or was agreed to before keeps its standing: who agreed is the verdict."""
    content = [
        row.title, row.kind, row.home_path, row.words, row.at, str(row.first_day), str(row.last_day), row.weekday,
        row.each,
    ]  # fmt: skip
    digest = hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
    connection = op.get_bind()
    connection.execute(sa.update(round_).where(round_.c.id == row.id).values(content_hash=digest))
    if connection.execute(sa.select(handed_in.c.id).where(handed_in.c.subject_id == row.id)).first():
        return  # this database was here before, and what was handed in is never deleted
    connection.execute(
        sa.insert(handed_in).values(
            id=uuid4(),
            subject_id=row.id,
            matter="round",
            title=row.title[:60],
            home_path=row.home_path,
            steps=[""],
            round=1,
            content={"title": row.title, "sms_text": row.words},
            content_hash=digest,
            by_id=row.written_by,
            by_name=row.written_by_name[:40],
            at=row.written_at,
        )
    )
    if row.approved_by is not None:
        connection.execute(
            sa.insert(review).values(
                id=uuid4(),
                subject_id=row.id,
                round=1,
                step=1,
                verdict="passed",
                reason="",
                content_hash=digest,
                reviewer_id=row.approved_by,
                reviewer_name=row.approved_by_name[:40],
                for_name="",
                at=row.approved_at,
            )
        )


def downgrade() -> None:
    """Undo: what was kept of reviews stays, nothing reads it."""
    # Not in batches: those make a table anew, and others refer to both.
    for table, column in (("round", "return_reason"), ("round", "content_hash"), ("slot", "lasts_ms")):
        op.drop_column(table, column)
