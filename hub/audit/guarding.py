"""The database itself refuses to change or delete what was once written into a table."""

from sqlalchemy import DDL, Connection, Table, event, text
from sqlalchemy.orm import Session

REFUSAL = "entries of this table are never changed or deleted"


def statements(table: str, dialect: str) -> list[str]:
    """Return what makes a table append-only, once it exists."""
    if dialect == "postgresql":
        stop, verbs = f"RAISE EXCEPTION '{REFUSAL}';", "BEFORE UPDATE OR DELETE OR TRUNCATE"
        return [
            f"CREATE OR REPLACE FUNCTION {table}_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {stop} END $$",
            f"CREATE OR REPLACE TRIGGER {table}_kept {verbs} ON {table} EXECUTE FUNCTION {table}_is_kept()",
        ]
    return [
        f"CREATE TRIGGER IF NOT EXISTS {table}_kept_{verb} BEFORE {verb.upper()} ON {table} "
        f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        for verb in ("update", "delete")
    ]


def keep(table: Table) -> None:
    """Make a table append-only wherever it is created from its model; migrations say it for themselves."""
    for dialect in ("sqlite", "postgresql"):
        for statement in statements(table.name, dialect):
            event.listen(table, "after_create", _ddl(statement, dialect))


def _ddl(statement: str, dialect: str) -> DDL:
    return DDL(statement).execute_if(dialect=dialect)  # type: ignore[no-untyped-call]


def is_kept(session: Session, table: str) -> bool:
    """Return whether the triggers are there: a restored or rebuilt table may have lost them."""
    if session.get_bind().dialect.name == "postgresql":
        query = text("SELECT count(*) FROM pg_trigger WHERE tgname = :name AND tgenabled <> 'D'")
        return bool(session.scalar(query, {"name": f"{table}_kept"}))
    query = text("SELECT count(*) FROM sqlite_master WHERE type = 'trigger' AND name IN (:update, :delete)")
    return bool(session.scalar(query, {"update": f"{table}_kept_update", "delete": f"{table}_kept_delete"}) == 2)


def restore(connection: Connection, table: str) -> None:
    """Put the triggers back."""
    for statement in statements(table, connection.dialect.name):
        connection.exec_driver_sql(statement)
