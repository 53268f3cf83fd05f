"""What belongs to a backup from this floor, and what must not go on where it stopped."""

from collections.abc import Iterable
from pathlib import Path

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from broadcasts.alerts.models import Alert, AlertState
from broadcasts.announcements.models import Announcement
from broadcasts.materials.models import Material
from broadcasts.shout.models import Shout
from broadcasts.sms.sending import restoring
from broadcasts.studio import Studio
from hub.core.keeping import Keeping, Moment
from hub.core.runtime import Runtime


def add_to_backups(runtime: Runtime) -> None:
    """Keep what people recorded: what was rendered from words can be rendered again."""
    keeping, library = runtime.get(Keeping), runtime.get(Studio).library

    def recordings(session: Session) -> Iterable[Path]:
        columns = (Material.audio_sha256, Announcement.recording_sha256, Shout.voice_sha256)
        digests = {digest for column in columns for digest in session.scalars(select(column).distinct()) if digest}
        return [path for digest in digests if (path := library.path_of(digest)) is not None]

    keeping.keep(recordings)
    keeping.after_restore(restoring.after_restore)
    keeping.after_restore(_disarm)


def _disarm(session: Session, moment: Moment) -> int:
    """An alert whose countdown ran when the backup was made has been fired or called off long ago."""
    armed = update(Alert).where(Alert.state == AlertState.ARMED).values(state=AlertState.MISSED)
    return int(session.execute(armed).rowcount)  # type: ignore[attr-defined]
