"""`cunxiang run` on a disk of its own that is filled to the last byte, and emptied again; run by test_outages.

Argument: an empty folder whose `disk` is a small file system. Says as JSON what was seen meanwhile and afterwards.
"""

import json
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import requests
from livehub import until
from outagelab import bad, command, emergency, hub_and_horn, tried
from roleslab import HORNS, Place, release


def fill(disk: Path) -> Path:
    """Take every byte."""
    filler = disk / "somebody-elses-film"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            with suppress(OSError):
                while True:
                    file.write(b"x" * size)
    return filler


def story(folder: Path, place: Place) -> dict[str, Any]:
    """What happens before, while and after."""
    disk, seen = folder / "disk", dict[str, Any]()
    release(place.call, title="先说一次")
    until(lambda: place.ask(HORNS) == [("finished", 1)], 30, what="the first")
    seen["backup before"] = command(folder, "backup", "make", "--to", disk / "kept")[0]
    filler = fill(disk)
    seen["bad"] = bad(place)
    seen["announcement"] = tried(lambda: release(place.call, title="满了以后", text="明天上午检修线路。"))
    seen["emergency"] = tried(lambda: emergency(place, "while-full"))
    with suppress(AssertionError):
        until(lambda: len(place.sounded()) == 2, 20)
    seen["sounded while full"] = len(place.sounded())
    seen["backup"] = command(folder, "backup", "make", "--to", disk / "kept")
    seen["kept"] = sorted(path.suffix for path in (disk / "kept").iterdir())
    seen["page"] = requests.get(f"{place.address}/sign-in", timeout=10).status_code

    filler.unlink()
    begin = time.monotonic()
    until(lambda: bad(place) == [], 30, what="an empty disk")
    seen["healed after"] = round(time.monotonic() - begin, 1)
    seen["announcement after"] = tried(lambda: release(place.call, title="又有地方了", text="检修已经做完。"))
    seen["anchor after"] = command(folder, "audit", "anchor")
    seen["verify after"] = command(folder, "audit", "verify", "--anchors", disk / "audit-anchors.txt")
    seen["backup after"] = command(folder, "backup", "make", "--to", disk / "kept")
    time.sleep(8)
    seen["horns"] = place.ask(HORNS)
    seen["sounded"] = len(place.sounded())
    seen["integrity"] = place.ask("PRAGMA integrity_check")[0][0]
    return seen


def main(folder: Path) -> None:
    """Run the hub and the story."""
    with hub_and_horn(folder, {"watch": {"disk_low_mb": 12, "disk_full_mb": 8}}) as place:
        sys.stdout.write(json.dumps(story(folder, place), ensure_ascii=False, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
