"""Campaigns, sheets, the library and plans are reviewed like announcements; what is handed in is kept for all of them."""

from datetime import datetime
from uuid import UUID, uuid4

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None
REFUSAL = "entries of this table are never changed or deleted"
KEPT = ("review", "handed_in")
TEXTS = ("speech", "sms", "correction_speech", "correction_sms", "clear_speech", "clear_sms")

announcement = sa.table(
    "announcement",
    sa.column("id", sa.Uuid()),
    sa.column("title", sa.String()),
    sa.column("home_path", sa.String()),
    sa.column("steps", sa.JSON()),
    sa.column("round", sa.Integer()),
    sa.column("relay_url", sa.String()),
    sa.column("recording_sha256", sa.String()),
    sa.column("audio_sha256", sa.String()),
)
handed_in = sa.table(
    "handed_in",
    sa.column("id", sa.Uuid()),
    sa.column("subject_id", sa.Uuid()),
    sa.column("matter", sa.String()),
    sa.column("title", sa.String()),
    sa.column("home_path", sa.String()),
    sa.column("steps", sa.JSON()),
    sa.column("round", sa.Integer()),
    sa.column("content", sa.JSON()),
    sa.column("content_hash", sa.String()),
    sa.column("by_id", sa.Uuid()),
    sa.column("by_name", sa.String()),
    sa.column("at", sa.DateTime(timezone=True)),
)
review = sa.table(
    "review",
    sa.column("id", sa.Uuid()),
    sa.column("subject_id", sa.Uuid()),
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


def upgrade() -> None:
    """Apply."""
    for table in ("review", "announcement_version"):
        _let_go(table)
    op.rename_table("announcement_version", "handed_in")
    with op.batch_alter_table("review") as batch_op:
        batch_op.drop_constraint("uq_review_announcement_id_round_step", type_="unique")
        batch_op.drop_constraint("uq_review_announcement_id_round_reviewer_id", type_="unique")
        batch_op.alter_column("announcement_id", new_column_name="subject_id")
    with op.batch_alter_table("review") as batch_op:
        batch_op.create_unique_constraint("uq_review_subject_id_round_step", ["subject_id", "round", "step"])
        batch_op.create_unique_constraint(
            "uq_review_subject_id_round_reviewer_id_verdict", ["subject_id", "round", "reviewer_id", "verdict"]
        )
        batch_op.create_index("ix_review_at", ["at"])
    with op.batch_alter_table("handed_in") as batch_op:
        batch_op.drop_constraint("uq_announcement_version_announcement_id_round", type_="unique")
        batch_op.alter_column("announcement_id", new_column_name="subject_id")
        batch_op.add_column(sa.Column("matter", sa.String(length=24), nullable=False, server_default="words"))
        batch_op.add_column(sa.Column("title", sa.String(length=60), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("home_path", sa.String(length=64), nullable=False, server_default=""))
        batch_op.add_column(sa.Column("steps", sa.JSON(), nullable=False, server_default='[""]'))
    with op.batch_alter_table("handed_in") as batch_op:
        batch_op.create_unique_constraint("uq_handed_in_subject_id_round", ["subject_id", "round"])
        batch_op.create_index("ix_handed_in_home_path_at", ["home_path", "at"])
    _announcements()
    _others()
    with op.batch_alter_table("handed_in") as batch_op:
        for name in ("matter", "title", "home_path", "steps"):
            batch_op.alter_column(name, server_default=None)
    for table in KEPT:
        _keep(table)


def _announcements() -> None:
    """Say of every version what it was a version of."""
    connection = op.get_bind()
    versions = connection.execute(sa.select(handed_in.c.id, handed_in.c.subject_id, handed_in.c.round)).all()
    known = {row.id: row for row in connection.execute(sa.select(announcement))}
    for version in versions:
        row = known.get(version.subject_id)
        if row is None:
            continue
        steps = row.steps if row.round == version.round and row.steps else [""]
        connection.execute(
            sa.update(handed_in)
            .where(handed_in.c.id == version.id)
            .values(matter=_matter(row), title=row.title[:60], home_path=row.home_path, steps=steps)
        )


def _matter(row: sa.Row[tuple[object, ...]]) -> str:
    if row.relay_url:
        return "relay"
    if row.recording_sha256:
        return "recording"
    return "words" if row.audio_sha256 else "texts"


def _others() -> None:
    """What was handed in, approved or signed before keeps its standing: the reviewers there were are the verdicts."""
    _bring("campaign", "home_path", ("submitted", "running", "paused"), "campaign")
    _bring("material", "home_path", ("submitted", "approved"), "material")
    _bring("programme_sheet", "region_path", ("submitted", "running"), "sheet")
    _plans()


def _bring(table: str, path: str, states: tuple[str, ...], matter: str) -> None:
    texts = ("title", path, "state", "content_hash", "submitted_by_name", "written_by_name", "approved_by_name")
    found = _table(
        table,
        texts,
        ids=("id", "submitted_by", "written_by", "approved_by"),
        moments=("submitted_at", "written_at", "approved_at"),
    )
    for row in op.get_bind().execute(sa.select(found).where(found.c.state.in_(states))).all():
        _hand_in(
            subject_id=row.id,
            matter=matter,
            title=row.title[:60],
            home_path=getattr(row, path),
            steps=[""],
            round=1,
            content={"title": row.title},
            content_hash=row.content_hash,
            by_id=row.submitted_by or row.written_by,
            by_name=(row.submitted_by_name or row.written_by_name)[:40],
            at=row.submitted_at or row.written_at,
        )
        if row.approved_by is not None:
            _pass(row.id, 1, 1, row.content_hash, (row.approved_by, row.approved_by_name, row.approved_at))


def _plans() -> None:
    plan = _table("plan", ("home_path", "hazard", "colour"), ids=("id",))
    version = _table(
        "plan_version",
        ("state", "content_hash", "written_by_name", "first_by_name", "second_by_name", *TEXTS),
        ids=("plan_id", "written_by", "first_by", "second_by"),
        moments=("handed_in_at", "written_at", "first_at", "second_at"),
        numbers=("version",),
    )
    query = (
        sa.select(plan.c.home_path, plan.c.hazard, plan.c.colour, version)
        .join(version, version.c.plan_id == plan.c.id)
        .where(version.c.content_hash != "", version.c.state.in_(("waiting", "approved", "replaced")))
        .order_by(version.c.plan_id, version.c.version)
    )
    rounds: dict[object, int] = {}
    for row in op.get_bind().execute(query).all():
        number = rounds[row.plan_id] = rounds.get(row.plan_id, 0) + 1
        _hand_in(
            subject_id=row.plan_id,
            matter="plan",
            title=f"{row.hazard} {row.colour}",
            home_path=row.home_path,
            steps=["", ""],
            round=number,
            content={name: getattr(row, name) for name in TEXTS},
            content_hash=row.content_hash,
            by_id=row.written_by,
            by_name=row.written_by_name[:40],
            at=row.handed_in_at or row.written_at,
        )
        if row.first_by is not None:
            _pass(row.plan_id, number, 1, row.content_hash, (row.first_by, row.first_by_name, row.first_at))
        if row.second_by is not None:
            _pass(row.plan_id, number, 2, row.content_hash, (row.second_by, row.second_by_name, row.second_at))


def _table(
    name: str,
    texts: tuple[str, ...],
    *,
    ids: tuple[str, ...],
    moments: tuple[str, ...] = (),
    numbers: tuple[str, ...] = (),
) -> sa.TableClause:
    return sa.table(
        name,
        *(sa.column(one, sa.String()) for one in texts),
        *(sa.column(one, sa.Uuid()) for one in ids),
        *(sa.column(one, sa.DateTime(timezone=True)) for one in moments),
        *(sa.column(one, sa.Integer()) for one in numbers),
    )


def _hand_in(**values: object) -> None:
    op.get_bind().execute(sa.insert(handed_in).values(id=uuid4(), **values))


def _pass(key: UUID, round_: int, step: int, content_hash: str, said: tuple[UUID, str, datetime | None]) -> None:
    op.get_bind().execute(
        sa.insert(review).values(
            id=uuid4(),
            subject_id=key,
            round=round_,
            step=step,
            verdict="passed",
            reason="",
            content_hash=content_hash,
            reviewer_id=said[0],
            reviewer_name=said[1][:40],
            for_name="",
            at=said[2],
        )
    )


def _let_go(table: str) -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP TRIGGER IF EXISTS {table}_kept ON {table}")
        op.execute(f"DROP FUNCTION IF EXISTS {table}_is_kept()")
        return
    for verb in ("update", "delete"):
        op.execute(f"DROP TRIGGER IF EXISTS {table}_kept_{verb}")


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
    """Undo: what was kept of anything but announcements is lost."""
    for table in KEPT:
        _let_go(table)
    op.execute("DELETE FROM review WHERE subject_id NOT IN (SELECT id FROM announcement)")
    op.execute(
        "DELETE FROM review WHERE verdict <> 'passed' AND EXISTS (SELECT 1 FROM review AS other WHERE "
        "other.subject_id = review.subject_id AND other.round = review.round AND other.id <> review.id "
        "AND other.reviewer_id = review.reviewer_id)"
    )
    op.execute("DELETE FROM handed_in WHERE subject_id NOT IN (SELECT id FROM announcement)")
    with op.batch_alter_table("handed_in") as batch_op:
        batch_op.drop_index("ix_handed_in_home_path_at")
        batch_op.drop_constraint("uq_handed_in_subject_id_round", type_="unique")
        batch_op.alter_column("subject_id", new_column_name="announcement_id")
        for name in ("matter", "title", "home_path", "steps"):
            batch_op.drop_column(name)
    with op.batch_alter_table("handed_in") as batch_op:
        batch_op.create_unique_constraint("uq_announcement_version_announcement_id_round", ["announcement_id", "round"])
    with op.batch_alter_table("review") as batch_op:
        batch_op.drop_index("ix_review_at")
        batch_op.drop_constraint("uq_review_subject_id_round_step", type_="unique")
        batch_op.drop_constraint("uq_review_subject_id_round_reviewer_id_verdict", type_="unique")
        batch_op.alter_column("subject_id", new_column_name="announcement_id")
    with op.batch_alter_table("review") as batch_op:
        batch_op.create_unique_constraint("uq_review_announcement_id_round_step", ["announcement_id", "round", "step"])
        batch_op.create_unique_constraint(
            "uq_review_announcement_id_round_reviewer_id", ["announcement_id", "round", "reviewer_id"]
        )
    op.rename_table("handed_in", "announcement_version")
    for table in ("review", "announcement_version"):
        _keep(table)
