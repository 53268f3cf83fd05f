"""A program that calls the JSON interface, and what every answer of it has to look like."""

import json
from dataclasses import dataclass
from typing import Any

import builders
from flask.testing import FlaskClient
from flask_openapi3.openapi import OpenAPI
from openapi_schema_validator import OAS31Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.test import TestResponse

from hub.accounts import tokens
from hub.audit.models import AuditEntry
from hub.core.runtime import Runtime

API = "/api/v1"
NOWHERE = "018f0000-0000-7000-8000-000000000000"


@dataclass
class Program:
    """A program with a key. Every answer is held against the interface's own description."""

    app: OpenAPI
    client: FlaskClient
    key: str = ""

    def call(
        self, method: str, path: str, body: Any = None, *, key: str = "", headers: dict[str, str] | None = None
    ) -> TestResponse:
        """Send a request; `body` is an object, or bytes as they go out; `key` is an Idempotency-Key."""
        sent = {**({"Authorization": f"Bearer {self.key}"} if self.key else {}), **(headers or {})}
        if key:
            sent["Idempotency-Key"] = key
        data = None
        if body is not None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            sent.setdefault("Content-Type", "application/json")
        answer = self.client.open(API + path, method=method, data=data, headers=sent)
        check_described(self.app, answer, method, path.partition("?")[0])
        return answer

    def get(self, path: str) -> TestResponse:
        """GET."""
        return self.call("GET", path)

    def post(self, path: str, body: Any = None, *, key: str = "") -> TestResponse:
        """POST."""
        return self.call("POST", path, body, key=key)

    def put(self, path: str, body: Any) -> TestResponse:
        """PUT."""
        return self.call("PUT", path, body)

    def made(self, path: str, body: Any = None) -> dict[str, Any]:
        """POST something that must work, and return the answer."""
        answer = self.post(path, body)
        assert answer.status_code in (200, 201), answer.text
        found = answer.json
        assert isinstance(found, dict)
        return found


def program(app: OpenAPI, runtime: Runtime, login: str) -> Program:
    """Return a program that acts for one of the PEOPLE."""
    with runtime.sessions.begin() as session:
        key = tokens.issue_token(session, builders.the_actor(session, login), name="test", days=30, now=runtime.now())
    return Program(app, app.test_client(), key)


def problem_of(answer: TestResponse, status: int, code: str) -> dict[str, Any]:
    """Return a problem document after checking that it is one."""
    assert answer.status_code == status, answer.text
    assert answer.mimetype == "application/problem+json"
    found = answer.json
    assert isinstance(found, dict)
    assert found["status"] == status
    assert found["code"] == code, found
    assert found["type"] == f"urn:cunxiang:problem:{code}"
    assert found["detail"]
    assert found["detail"] != code, "nobody wrote words for it"
    return found


def fields_of(answer: TestResponse) -> dict[str, str]:
    """Return field → code of a refused request."""
    assert answer.status_code == 422, answer.text
    return {e["field"]: e["code"] for e in (answer.json or {}).get("errors", [])}


def audit_count(session: Session) -> int:
    """Return how many deeds are on record: a refused request adds none. Keys for the test's programs do not count."""
    query = select(func.count()).select_from(AuditEntry).where(AuditEntry.deed != "token.issue")
    return session.scalar(query) or 0


def check_described(app: OpenAPI, answer: TestResponse, method: str, path: str) -> None:
    """Fail unless the answer is one that the description promises."""
    operation = _operation(app, method, path)
    if operation is None:
        return
    described = operation["responses"].get(str(answer.status_code))
    assert described is not None, f"{method} {path} answered {answer.status_code}, which is not described"
    assert answer.mimetype in described["content"], f"{answer.mimetype}: {answer.text}"
    schema = described["content"][answer.mimetype]["schema"]
    registry = Registry().with_resource("urn:it", DRAFT202012.create_resource(app.api_doc))
    absolute = {"$ref": "urn:it" + schema["$ref"]}
    OAS31Validator(absolute, registry=registry).validate(answer.json)


def _operation(app: OpenAPI, method: str, path: str) -> dict[str, Any] | None:
    wanted = (API + path).split("/")
    for template, item in app.api_doc["paths"].items():
        parts = template.split("/")
        fits = len(parts) == len(wanted) and all(
            a == b or a.startswith("{") for a, b in zip(parts, wanted, strict=True)
        )
        exact = fits and not any(a.startswith("{") and b in _literals(app) for a, b in zip(parts, wanted, strict=True))
        if exact and method.lower() in item:
            found = item[method.lower()]
            assert isinstance(found, dict)
            return found
    return None


def _literals(app: OpenAPI) -> set[str]:
    """Return words that are parts of addresses, and so no ids."""
    return {part for template in app.api_doc["paths"] for part in template.split("/") if part[:1] != "{"}
