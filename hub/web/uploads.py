"""Files between being uploaded and being used: each belongs to one account, and none lives long."""

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

from werkzeug.datastructures import FileStorage

from hub.core.errors import BadInput, NotFound

LIFE = timedelta(hours=1)
_TOKEN = re.compile(r"[0-9a-f]{32}")


def sent_file(files: Mapping[str, FileStorage]) -> bytes:
    """Return the content of the uploaded file; BadInput when none was chosen."""
    sent = files.get("file")
    data = sent.stream.read() if sent else b""
    if not data:
        raise BadInput("import_no_file", field="file")
    return data


class Uploads:
    """A folder of such files. An account has one at a time; a new one takes the place of the last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, owner: UUID, data: bytes, *, now: datetime) -> str:
        """Store a file and return the name by which its owner gets it back. Old files go on this occasion."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.sweep(now=now)
        for old in self._folder.glob(f"{owner.hex}-*"):
            old.unlink(missing_ok=True)
        token = secrets.token_hex(16)
        path = self._path(owner, token)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.utime(path, (now.timestamp(), now.timestamp()))
        return token

    def read(self, owner: UUID, token: str, *, now: datetime) -> bytes:
        """Return the file; NotFound when it is somebody else's, was used already, or is too old."""
        self.sweep(now=now)
        try:
            return self._path(owner, token).read_bytes()
        except FileNotFoundError:
            raise NotFound("upload_gone") from None

    def drop(self, owner: UUID, token: str) -> None:
        """Delete the file, if it is still there."""
        self._path(owner, token).unlink(missing_ok=True)

    def sweep(self, *, now: datetime) -> None:
        """Delete every file that is older than its life."""
        oldest = (now - LIFE).timestamp()
        for path in self._folder.glob("*-*"):
            with suppress(FileNotFoundError):  # another request swept it
                if path.stat().st_mtime < oldest:
                    path.unlink()

    def _path(self, owner: UUID, token: str) -> Path:
        if not _TOKEN.fullmatch(token):
            raise NotFound("upload_gone")
        return self._folder / f"{owner.hex}-{token}"
