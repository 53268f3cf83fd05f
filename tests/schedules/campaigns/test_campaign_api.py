"""Campaigns handed in and approved by programs: a request that is sent twice is done once."""

from apilab import audit_count, program
from campaignlab import Office
from flask_openapi3.openapi import OpenAPI

from hub.core.runtime import Runtime


def test_handing_in_and_approving_twice_is_done_once(app: OpenAPI, runtime: Runtime, office: Office) -> None:
    clerk, approver = program(app, runtime, "clerk"), program(app, runtime, "approver")
    address = f"/campaigns/{office.write()}"
    first = clerk.post(f"{address}/submit", key="k1")
    assert first.status_code == 200
    after = deeds(runtime)
    second = clerk.post(f"{address}/submit", key="k1")
    assert (second.status_code, second.json) == (200, first.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    seen = {"content_hash": clerk.get(address).json["content_hash"]}  # type: ignore[index]
    assert deeds(runtime) == after
    first = approver.post(f"{address}/approve", seen, key="k2")
    assert (first.status_code, first.json["state"]) == (200, "running")  # type: ignore[index]
    after = deeds(runtime)
    second = approver.post(f"{address}/approve", seen, key="k2")
    assert (second.status_code, second.json) == (200, first.json)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert deeds(runtime) == after


def deeds(runtime: Runtime) -> int:
    with runtime.sessions.read() as session:
        return audit_count(session)
