"""Another hand asks the API: whatever its description allows and a little more. Nothing may fail, every answer fits."""

import os
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import builders
import pytest
import schemathesis
from flask_openapi3.openapi import OpenAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import content_type_conformance, response_schema_conformance

from hub.accounts import tokens
from hub.core.runtime import Runtime

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
LONG = os.environ.get("CUNXIANG_LONG") == "1"
EACH = 20 if LONG else 1
"""Requests to every verb, right ones and wrong ones, for each of two people."""
CHECKS = [not_a_server_error, content_type_conformance, response_schema_conformance]
NOT_ASKED = frozenset({"/api/v1/tokens"})
"""Makes keys from a password; the throttle answers after a few."""


@pytest.mark.parametrize("login", ["county", "clerk"])
def test_no_answer_is_a_failure_and_each_fits_its_description(app: OpenAPI, runtime: Runtime, login: str) -> None:
    with runtime.sessions.begin() as session:
        who = builders.the_actor(session, login)
        key = tokens.issue_token(
            session, who, name="fuzz", days=1, now=runtime.now() - timedelta(minutes=1), test=not LONG
        )
    schema = schemathesis.openapi.from_dict(app.api_doc)
    schema.app = app
    asked: Counter[int] = Counter()
    wrong: list[str] = []
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # a description that is wrong fails other tests
        if operation.path in NOT_ASKED:
            continue
        for mode in GenerationMode:
            try:
                _asking(operation, mode, key, asked)()
            except Unsatisfiable:
                pass  # of a verb without any input there is no wrong way to ask
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - all are gathered and shown at the end
                wrong.append(f"{operation.method.upper()} {operation.path} {mode}: {str(error)[:1500]}")
    assert wrong == [], "\n\n".join(wrong[:5])
    assert sum(asked.values()) > 200
    assert asked[200] > 20, "right requests of a person with rights are answered"
    assert asked[422] > 20, "wrong ones are refused"


def _asking(operation: Any, mode: GenerationMode, key: str, asked: Counter[int]) -> Callable[[], None]:
    @settings(
        max_examples=EACH,
        database=None,
        deadline=None,
        derandomize=not LONG,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(headers={"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"})
        asked[answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    return ask
