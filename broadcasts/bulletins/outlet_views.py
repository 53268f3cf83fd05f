"""What others read of this hub's emergencies: an Atom feed, signed CAP documents, the certificate to check them by.

And a page for the hub's own people that lists them.
"""

from pathlib import Path
from uuid import UUID

from flask import Blueprint, Response, render_template, request
from flask.typing import ResponseReturnValue

from broadcasts.alerts import service as alerts
from broadcasts.bulletins import notices
from broadcasts.bulletins.formats import atom, ebm
from broadcasts.bulletins.settings import WarningSettings
from hub.core.actor import Permission
from hub.core.errors import NotFound, NotSignedIn
from hub.core.runtime import runtime
from hub.regions import service as regions
from hub.web.guards import permission_required, signed_in
from hub.web.paging import as_address, place_in_address
from hub.web.work import actor, now, reading, visitor

bp = Blueprint("cap_outlet", __name__, url_prefix="/cap")
PAGE = 30


@bp.get("/")
@permission_required(Permission.SEE)
def every() -> ResponseReturnValue:
    """List the documents of one's own places, each with its forms."""
    before = place_in_address(request.args.get("before", ""))
    with reading() as session:
        found = notices.listed(session, actor(), before=before, limit=PAGE + 1)
        names = regions.names(session, {code for one in found for code in one.regions})
    last = found[PAGE - 1] if len(found) > PAGE else None
    return render_template(
        "broadcasts/bulletins/issued.html",
        notices=found[:PAGE],
        names=names,
        more=as_address(last.sent, last.id) if last else "",
        first=before is None,
        feed=runtime().config.section(WarningSettings).feed,
        base_url=runtime().base_url,
        now=now(),
    )


@bp.get("/feed.atom")
def feed() -> ResponseReturnValue:
    """List the documents that still count."""
    settings = _open_to_the_reader()
    with reading() as session:
        found = notices.current(session, now=now())
    data = atom(found, base_url=runtime().base_url, title=settings.sender_name, now=now())
    return Response(data, mimetype="application/atom+xml")


@bp.get("/<uuid:notice_id>.xml")
def document(notice_id: UUID) -> ResponseReturnValue:
    """Hand out one document, exactly as it was signed."""
    _open_to_the_reader()
    with reading() as session:
        found = notices.get(session, notice_id)
    return Response(found.xml, mimetype="application/cap+xml")


@bp.get("/certificate.pem")
def certificate() -> ResponseReturnValue:
    """Hand out the certificate; it is public."""
    _open_to_the_reader()
    path = Path(runtime().config.data_dir) / notices.CERTIFICATE_FILE
    if not path.exists():
        raise NotFound("notice_unknown")
    return Response(path.read_bytes(), mimetype="application/x-pem-file")


@bp.get("/<uuid:notice_id>/ebm.xml")
@signed_in
def message(notice_id: UUID) -> ResponseReturnValue:
    """Hand out one document in the fields of Chinese emergency-broadcast platforms. Unverified."""
    with reading() as session:
        found = notices.get(session, notice_id)
        data = ebm(found, alerts.get(session, actor(), found.alert_id), runtime().zone)
    name = f"EBDB_{found.id.hex}.xml"
    return Response(data, mimetype="application/xml", headers={"Content-Disposition": f"attachment; filename={name}"})


def _open_to_the_reader() -> WarningSettings:
    settings = runtime().config.section(WarningSettings)
    if settings.feed == "off":
        raise NotFound("notice_unknown")
    if settings.feed == "key" and visitor() is None:
        raise NotSignedIn("key_missing")
    return settings
