"""Where providers of text messages report to the hub. No session, no CSRF: the provider's own signature decides."""

from flask import Blueprint, Response, abort, request
from flask.typing import ResponseReturnValue

from broadcasts.sms.gateway import SmsGateway, WebhookRequest
from broadcasts.sms.letters import inbound
from broadcasts.sms.providers.provider import SmsProvider
from broadcasts.sms.sending import receipts
from broadcasts.sms.settings import SmsSettings
from hub.core.runtime import runtime
from hub.residents.phones import PhoneSafe
from hub.web.guards import csrf
from hub.web.work import now, work

bp = Blueprint("hooks", __name__)


@bp.route("/hooks/sms/<name>/receipts", methods=["GET", "POST"])
@bp.route("/hooks/sms/<name>/<token>/receipts", methods=["GET", "POST"])
def note_receipts(name: str, token: str = "") -> ResponseReturnValue:
    """Take reports on messages; the same report again changes nothing."""
    gateway, asked = _verified(name, token)
    reports = gateway.parse_receipts(asked, now())
    if reports:
        with work() as session:
            index_of = receipts.number_index(runtime().get(PhoneSafe))
            receipts.record(session, gateway.name, reports, now(), index_of)
    return _thanks(gateway)


@bp.post("/hooks/sms/<name>/inbound")
@bp.post("/hooks/sms/<name>/<token>/inbound")
def note_inbound(name: str, token: str = "") -> ResponseReturnValue:
    """Take residents' messages; the same message again changes nothing."""
    gateway, asked = _verified(name, token)
    messages = gateway.parse_inbound(asked, now())
    if messages:
        with work() as session:
            inbound.receive(session, runtime().get(PhoneSafe), gateway.name, messages, now=now())
    return _thanks(gateway)


def _verified(name: str, token: str) -> tuple[SmsGateway, WebhookRequest]:
    gateway = runtime().get(SmsProvider).named(name)
    if gateway is None:
        abort(404)
    if not runtime().config.section(SmsSettings).may_report(name, request.remote_addr or ""):
        abort(403)
    body = request.get_data(cache=True)
    query = request.query_string.decode("ascii", "replace")
    asked = WebhookRequest(
        url=request.path + (f"?{query}" if query else ""),
        headers=dict(request.headers),
        form=request.form.to_dict(),
        body=body,
        token=token,
    )
    if not gateway.verify(asked):
        abort(403)
    return gateway, asked


def _thanks(gateway: SmsGateway) -> Response:
    answer = gateway.caps.hook_answer
    return Response(answer, status=200 if answer else 204, content_type=f"{gateway.caps.hook_type}; charset=utf-8")


for view in (note_receipts, note_inbound):
    csrf.exempt(view)
