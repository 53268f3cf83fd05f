"""The folder with espeak-ng's data, under a name that espeak-ng can take."""

import os
from pathlib import Path

# espeak-ng copies the path into a buffer of 160 bytes and calls exit(1) when it does not fit.
LONGEST_DATA_PATH = 150


class NameTooLong(Exception):
    """Not even the link could be given a name that is short enough."""


def short_data_path(data: str, folder: Path) -> str:
    """The path of espeak's data, through a link in `folder` when it is too long for espeak."""
    if len(os.fsencode(data)) < LONGEST_DATA_PATH:
        return data
    link = folder / "espeak-data"
    if len(os.fsencode(link)) >= LONGEST_DATA_PATH:
        raise NameTooLong("the folder for temporary files has too long a name for espeak-ng")
    if not link.is_symlink():
        link.symlink_to(data, target_is_directory=True)
    return str(link)
