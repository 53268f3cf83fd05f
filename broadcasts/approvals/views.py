"""How many reviewers what needs: for whoever says what others may do."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext, lazy_gettext

from broadcasts.approvals import history as versions
from broadcasts.approvals import listing, service
from broadcasts.approvals.rules import MOST_STEPS, Matter, Reach
from hub.core.actor import Permission
from hub.core.errors import BadInput
from hub.core.runtime import Runtime
from hub.web.errors import mistakes
from hub.web.guards import permission_required, signed_in
from hub.web.menu import Entry, Menu, Part
from hub.web.work import actor, now, reading, work

K = TypeVar("K", bound=StrEnum)
bp = Blueprint("approval_rules", __name__)


def add_to_menu(runtime_: Runtime) -> None:
    """Put this room's line into the menu."""
    runtime_.get(Menu).add(
        Entry(
            key="approval_rules",
            label=lazy_gettext("审批规则"),
            icon="checks",
            endpoint="approval_rules.every",
            permission=Permission.EDIT_ACCOUNTS,
            group=4,
            position=21,
            part=Part.PEOPLE,
            about=lazy_gettext("什么样的广播要几个人批"),
        )
    )


@bp.get("/settings/approvals")
@permission_required(Permission.EDIT_ACCOUNTS)
def every() -> ResponseReturnValue:
    """Show the rules and the form for one more."""
    return _page({}, {})


@bp.post("/settings/approvals")
@permission_required(Permission.EDIT_ACCOUNTS)
def set_rule() -> ResponseReturnValue:
    """Set a rule; one that is there already is replaced."""
    form = request.form
    try:
        with work() as session:
            service.set_rule(
                session,
                actor(),
                form.get("region", ""),
                _chosen(Matter, "matter"),
                _chosen(Reach, "reach"),
                _steps(),
                now=now(),
            )
    except BadInput as error:
        return _page(form.to_dict(), mistakes(error)), 422
    flash(gettext("规则定好了，新提交的广播按它审。"), "ok")
    return redirect(url_for("approval_rules.every"))


@bp.post("/settings/approvals/<uuid:rule_id>/remove")
@permission_required(Permission.EDIT_ACCOUNTS)
def remove(rule_id: UUID) -> ResponseReturnValue:
    """Take a rule out."""
    with work() as session:
        service.remove_rule(session, actor(), rule_id, now=now())
    flash(gettext("规则去掉了。"), "ok")
    return redirect(url_for("approval_rules.every"))


@bp.get("/reviews/<uuid:subject_id>")
@signed_in
def history(subject_id: UUID) -> ResponseReturnValue:
    """Show what was handed in each time, what changed, and who said what."""
    with reading() as session:
        rounds = versions.of(session, actor(), subject_id)
    return render_template("broadcasts/approvals/history.html", rounds=rounds)


def _page(typed: Mapping[str, str], errors: dict[str, str]) -> str:
    with reading() as session:
        page = listing.page(session, actor())
    return render_template(
        "broadcasts/approvals/rules.html",
        page=page,
        form=typed,
        errors=errors,
        matters=tuple(Matter),
        reaches=tuple(Reach),
        most=MOST_STEPS,
    )


def _steps() -> list[str]:
    count = request.form.get("count", "")
    if count not in {str(number) for number in range(1, MOST_STEPS + 1)}:
        raise BadInput("steps_range", field="count", most=MOST_STEPS)
    return [request.form.get(f"step{number}", "") for number in range(1, int(count) + 1)]


def _chosen(kind: type[K], field: str) -> K:
    wanted = request.form.get(field, "")
    if wanted not in set(kind):
        raise BadInput("choice_unknown", field=field, choices=", ".join(kind))
    return kind(wanted)
