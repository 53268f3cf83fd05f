"""The text message of the compose page: filled from a ready-made text, and tried on the unit's own telephones."""

from flask import Blueprint, flash
from flask.typing import ResponseReturnValue
from flask_babel import ngettext

from broadcasts.announcements import text_forms
from broadcasts.announcements.views import errors_of, read_form, show_form
from broadcasts.delivery.rules import Rules
from broadcasts.pumps import Pumps
from broadcasts.sms.wording import trying
from hub.core.actor import Permission
from hub.core.errors import BadInput, WrongState
from hub.core.runtime import runtime
from hub.web.guards import permission_required
from hub.web.work import actor, now, reading, work

bp = Blueprint("announcement_texts", __name__)


@bp.post("/compose/sms-template")
@permission_required(Permission.COMPOSE)
def fill() -> ResponseReturnValue:
    """Show the form again with the blanks of the chosen text, or, once they are filled, with the message."""
    form = read_form()
    try:
        with reading() as session:
            form = text_forms.filled(session, form)
    except BadInput as error:
        return show_form(form, errors=errors_of(error), status=error.status)
    return show_form(form)


@bp.post("/compose/try")
@permission_required(Permission.COMPOSE)
def try_texts() -> ResponseReturnValue:
    """Send the text to the unit's own telephones, marked as a test."""
    form = read_form()
    try:
        with work() as session:
            people = trying.send(session, actor(), form.draft.message, settings=runtime().get(Rules).sms, now=now())
    except (BadInput, WrongState) as error:
        return show_form(form, errors=errors_of(error), status=error.status)
    runtime().get(Pumps).kick()
    flash(ngettext("发到了 %(num)s 部试发手机，村民收不到。", "发到了 %(num)s 部试发手机，村民收不到。", people), "ok")
    return show_form(form)
