"""What lies at or below a place, as a condition that finds it through an index.

SQLite uses no index for LIKE, which minds no capitals there: it would look at everybody of a county for one village. It
gets a range instead. PostgreSQL orders text by the rules of a language, where a range would be wrong: it gets LIKE.
"""

from typing import Any

from sqlalchemy import Boolean, ColumnElement, literal, true
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from hub.core.db import like_below

CLOSES, NEXT = "/", chr(ord("/") + 1)
"""Every code of a path is closed by the one; what begins with a path comes before the same with the other."""


class _Below(FunctionElement[bool]):
    name = "below"
    type = Boolean()
    inherit_cache = True
    _is_implicitly_boolean = True  # else SQLite is asked whether it "= 1", and looks at every row after all


@compiles(_Below)
def _by_like(element: _Below, compiler: SQLCompiler, **options: Any) -> str:
    column, _, _, pattern = element.clauses
    return f"({compiler.process(column, **options)} LIKE {compiler.process(pattern, **options)})"


@compiles(_Below, "sqlite")
def _by_range(element: _Below, compiler: SQLCompiler, **options: Any) -> str:
    column, first, after, _ = (compiler.process(clause, **options) for clause in element.clauses)
    return f"({column} >= {first} AND {column} < {after})"


def below(column: Any, path: str) -> ColumnElement[bool]:
    """Return the condition that a path in `column` is `path` or lies below it; below an empty one lies everything.

    ValueError for what is no whole path: its last code has to be closed.
    """
    if not path:
        return true()
    if not path.endswith(CLOSES):
        raise ValueError(f"{path!r} is no region path")
    return _Below(column, literal(path), literal(path[:-1] + NEXT), literal(like_below(path)))
