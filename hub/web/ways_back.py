"""Where somebody came from, and where a link may send them: never off this hub."""

from urllib.parse import urlsplit

from flask import request


def local_path(wanted: str, otherwise: str = "/") -> str:
    """Return `wanted` if it is a path on this hub, so that nobody can be sent elsewhere by a link."""
    parts = urlsplit(wanted)
    # Browsers read a backslash as a slash and drop tabs and line ends, so none of them may stand in it.
    plain = not any(c == "\\" or c < " " for c in wanted)
    safe = plain and wanted.startswith("/") and not wanted.startswith("//") and not parts.scheme and not parts.netloc
    return wanted if safe else otherwise


def came_from(otherwise: str = "/") -> str:
    """Return the page a form was sent from, as the browser says."""
    came = urlsplit(request.referrer or "")
    behind = came.path + (f"?{came.query}" if came.query else "") if came.netloc == request.host else ""
    return local_path(behind, otherwise)
