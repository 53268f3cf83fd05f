"""What others read of this hub's emergencies: an Atom feed, signed CAP documents, the certificate to check them by."""

from pathlib import Path
from uuid import UUID

from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from broadcasts.alerts import service as alerts
from broadcasts.bulletins import notices
from broadcasts.bulletins.formats import atom, ebm
from broadcasts.bulletins.settings import WarningSettings
from hub.core.errors import NotFound, NotSignedIn
from hub.core.runtime import runtime
from hub.web.guards import signed_in
from hub.web.work import actor, now, reading, visitor

bp = Blueprint("cap_outlet", __name__, url_prefix="/cap")


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
