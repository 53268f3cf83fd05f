"""The house stands."""

from collections.abc import Callable

from flask.testing import FlaskClient


def test_the_hub_answers(sign_in: Callable[[str], FlaskClient]) -> None:
    assert sign_in("clerk").get("/healthz").json == {"status": "ok"}
