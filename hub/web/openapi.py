"""The description of the JSON interface, OpenAPI 3.1, at /openapi.json."""

from typing import Any

from flask import Blueprint, Response, current_app, jsonify
from flask_openapi3.models.info import Info

from hub.web.api import Problem
from hub.web.mistakes import refused

bp = Blueprint("openapi", __name__)
ABOUT = (
    "Announcements to village loudspeakers and phones, and the loudspeakers themselves, for programs. "
    "Moments are milliseconds since 1970 UTC; lists are paged by `limit` and `cursor`; "
    "POST requests may carry an `Idempotency-Key`; errors are RFC 9457 problem documents."
)


def described(version: str) -> dict[str, Any]:
    """Return the arguments an application needs to describe its interface."""
    return {
        "info": Info(title="Cunxiang", version=version, description=ABOUT),
        "security_schemes": {"key": {"type": "http", "scheme": "bearer", "description": "a key, `cx_…`"}},
        "validation_error_model": Problem,
        "validation_error_callback": refused,
        "doc_ui": False,
    }


@bp.get("/openapi.json")
def document() -> Response:
    """Answer with the description."""
    app: Any = current_app  # an OpenAPI, made by hub.app.build
    return jsonify(app.api_doc)
