"""A recording, answered to a browser that may hear it."""

from flask import Response, send_file

from broadcasts.studio import Studio
from hub.core.errors import NotFound
from hub.core.runtime import runtime


def recording(digest: str) -> Response:
    """Return the recording with this SHA-256; NotFound when it is gone, or there was none. The caller asked who may."""
    path = runtime().get(Studio).library.path_of(digest) if digest else None
    if path is None:
        raise NotFound("sound_unknown")
    return send_file(path.resolve(), mimetype="audio/mpeg", conditional=True, etag=digest)
