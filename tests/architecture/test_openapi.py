"""The description of the JSON interface is valid, whole, stable, and tells of nothing else."""

import json
import re
from typing import Any

import pytest
from flask_openapi3.openapi import OpenAPI
from openapi_spec_validator import OpenAPIV31SpecValidator

import cunxiang
from hub.app import VERSION, build
from hub.core.runtime import Runtime
from hub.web.api import Output

METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE"}
Operation = tuple[str, str, dict[str, Any]]


@pytest.fixture
def document(app: OpenAPI) -> dict[str, Any]:
    answer = app.test_client().get("/openapi.json")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    found = answer.json
    assert isinstance(found, dict)
    return found


def operations(document: dict[str, Any]) -> list[Operation]:
    return [
        (path, method.upper(), operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]


def routes(app: OpenAPI) -> set[tuple[str, str]]:
    """Every verb below /api/ that the application really answers."""
    return {
        (re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), method)
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/api/")
        for method in (rule.methods or set()) & METHODS
    }


def test_it_is_valid_openapi_3_1(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == VERSION
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_validator_sees_a_fault(document: dict[str, Any]) -> None:
    del document["paths"]["/api/v1/me"]["get"]["responses"]["200"]["description"]
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) != []


def test_it_describes_every_verb_there_is_and_no_other(app: OpenAPI, document: dict[str, Any]) -> None:
    described = {(path, method) for path, method, _ in operations(document)}
    assert described == routes(app)
    assert len(described) > 30


def test_no_page_of_the_site_is_in_it(document: dict[str, Any]) -> None:
    assert [path for path in document["paths"] if not path.startswith("/api/v1/")] == []
    assert "text/html" not in json.dumps(document)


def test_every_verb_says_what_it_does_takes_and_answers(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        where = f"{method} {path}"
        assert operation["summary"].endswith("."), where
        assert len(operation["tags"]) == 1, where
        good = [status for status in operation["responses"] if status.startswith("2")]
        assert len(good) == 1, where
        assert "$ref" in operation["responses"][good[0]]["content"]["application/json"]["schema"], where


def test_every_verb_says_how_it_refuses(document: dict[str, Any]) -> None:
    for path, method, operation in operations(document):
        refusals = {s: r for s, r in operation["responses"].items() if not s.startswith("2")}
        assert {"401", "422", "429", "500"} <= refusals.keys(), f"{method} {path}"
        if method in ("POST", "PUT"):
            assert {"400", "413", "415"} <= refusals.keys(), f"{method} {path}"
        if "{" in path:
            assert "404" in refusals, f"{method} {path}"
        if any(one["name"] == "Idempotency-Key" for one in operation.get("parameters", ())):
            assert "409" in refusals, f"{method} {path}: while the first is still being worked on"
        for status, refusal in refusals.items():
            assert refusal["description"], f"{method} {path} {status}"
            schema = refusal["content"]["application/problem+json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Problem"}, f"{method} {path} {status}"


def test_every_verb_but_getting_a_key_needs_one(document: dict[str, Any]) -> None:
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    free = [path for path, _, operation in operations(document) if operation.get("security") != [{"key": []}]]
    assert free == ["/api/v1/tokens"]


def test_a_verb_that_is_described_as_needing_a_key_does(app: OpenAPI, document: dict[str, Any]) -> None:
    client = app.test_client()
    for path, method, operation in operations(document):
        real = re.sub(r"{\w+_id}", "018f0000-0000-7000-8000-000000000000", path).replace("{code}", "990101001000")
        answer = client.open(real, method=method, json={} if "requestBody" in operation else None)
        expected = 401 if operation.get("security") else 422
        assert answer.status_code == expected, f"{method} {path}: {answer.text}"


def test_names_of_verbs_are_unique_and_plain(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z_]+", name) for name in names)


def test_no_two_answers_have_the_same_name(document: dict[str, Any]) -> None:
    """The document calls its parts by the names of the models: of two with one name it would describe only one."""
    names = [kind.__name__ for kind in _below(Output)]
    assert sorted(names) == sorted(set(names))


def _below(kind: type[Output]) -> list[type[Output]]:
    return [found for child in kind.__subclasses__() for found in (child, *_below(child))]


def test_what_a_program_sends_is_closed(document: dict[str, Any]) -> None:
    bodies = [
        operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        for _, _, operation in operations(document)
        if "application/json" in operation.get("requestBody", {}).get("content", {})
    ]
    schemas = document["components"]["schemas"]
    opened = {name for name in bodies if schemas[name].get("additionalProperties") is not False}
    assert opened == {"NationalMessage"}, "only what others have laid down may hold what nobody here knows"


def test_it_is_the_same_every_time(app: OpenAPI, runtime: Runtime, document: dict[str, Any]) -> None:
    again = build(runtime, cunxiang.FEATURES).test_client().get("/openapi.json")
    assert again.json == document
    assert again.text == app.test_client().get("/openapi.json").text
