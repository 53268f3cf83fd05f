"""够不着的地方: where nobody can be reached, who closes it until when."""

from datetime import date
from uuid import UUID

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from broadcasts.reports import gaps
from broadcasts.reports.forms import place_of, plan_from
from broadcasts.reports.models import GapKind
from hub.core.actor import Permission
from hub.core.errors import BadInput, NotFound
from hub.core.runtime import runtime
from hub.web.errors import mistakes
from hub.web.guards import permission_required, signed_in
from hub.web.work import actor, now, reading, work

bp = Blueprint("gaps", __name__)


@bp.get("/coverage/gaps")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """Show where nobody can be reached, on the map and as a list."""
    return _page(place_of(request.args, actor()))


@bp.post("/coverage/gaps/<code>/<kind>")
@signed_in
def settle(code: str, kind: str) -> ResponseReturnValue:
    """Say who closes a gap and until when."""
    if kind not in set(GapKind):
        raise NotFound("gap_plan_unknown")
    wish = plan_from(request.form)
    try:
        with work() as session:
            plan = gaps.settle(session, actor(), code, GapKind(kind), wish, today=_today(), now=now())
            words = gettext("记下了：%(who)s负责，%(day)s 前办完。", who=plan.person, day=plan.due_on)
    except BadInput as error:
        return _page(request.args.get("region") or code, mistakes(error), f"{code}-{kind}"), 422
    flash(words, "ok")
    return redirect(url_for("gaps.every", region=request.args.get("region") or None, _anchor=f"gap-{code}"))


@bp.post("/coverage/gaps/plans/<uuid:plan_id>/done")
@signed_in
def finish(plan_id: UUID) -> ResponseReturnValue:
    """Say that a gap is closed."""
    with work() as session:
        gaps.finish(session, actor(), plan_id, now=now())
    flash(gettext("记下办完了。要是还够不着，这里会接着列出来。"), "ok")
    return redirect(url_for("gaps.every", region=request.args.get("region") or None))


def _page(code: str, errors: dict[str, str] | None = None, refused: str = "") -> str:
    with reading() as session:
        found = gaps.coverage(session, actor(), code)
    return render_template(
        "broadcasts/reports/gaps.html",
        reached=found,
        code=code,
        kinds=tuple(GapKind),
        may={kind: tuple(actor().paths(permission)) for kind, permission in gaps.NEEDS.items()},
        sees_residents=actor().paths(Permission.SEE_RESIDENTS),
        today=_today(),
        errors=errors or {},
        refused=refused,
        form=request.form,
    )


def _today() -> date:
    return now().astimezone(runtime().zone).date()
