"""Check the files taken from other projects against the lock; with --fetch, take them again."""

import argparse
import base64
import hashlib
import json
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

STATIC = Path(__file__).resolve().parent.parent / "hub" / "static"
LOCK = STATIC / "vendor" / "vendor.lock.json"
SPRITE = "icons.svg"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def faults(lock: dict[str, Any]) -> list[str]:
    """Every locked file that is absent or changed, one line each; empty when all is well."""
    found = []
    for name, wanted in lock["sha256"].items():
        path = STATIC / name
        if not path.is_file():
            found.append(f"{name}: missing")
        elif sha256(path) != wanted:
            found.append(f"{name}: differs from the lock")
    return found


def unpack(package: dict[str, Any], folder: Path) -> Path:
    """Fetch one pinned package with npm, refuse it unless its sha512 is the locked one, and open it."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm is needed for --fetch; checking needs only Python")
    wanted = f"{package['name']}@{package['version']}"
    command = [npm, "pack", wanted, "--json", "--ignore-scripts", "--pack-destination", str(folder)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    bundle = next(folder.glob("*.tgz"))
    digest = base64.b64encode(hashlib.sha512(bundle.read_bytes()).digest()).decode()
    if f"sha512-{digest}" != package["integrity"]:
        raise SystemExit(f"{wanted}: the bundle is not the one in the lock")
    with tarfile.open(bundle) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package"


def symbol(name: str, svg: str) -> str:
    """One icon of the sprite: the drawing without its outer tag and without the invisible frame."""
    drawing = re.sub(r"<!--.*?-->|</?svg[^>]*>|<path stroke=\"none\"[^>]*/>", "", svg, flags=re.DOTALL)
    drawing = re.sub(r"\s*/>", "/>", re.sub(r">\s+<", "><", drawing.strip()))
    return f'<symbol id="{name}" viewBox="0 0 24 24">{drawing}</symbol>'


def sprite(icons: list[str], folder: Path) -> str:
    symbols = "\n".join(symbol(name, (folder / f"{name}.svg").read_text("utf-8")) for name in sorted(icons))
    return f'<svg xmlns="http://www.w3.org/2000/svg">\n{symbols}\n</svg>\n'


def fetch(lock: dict[str, Any]) -> None:
    """Take every pinned package again, write its files, and note what they are in the lock."""
    for package in lock["packages"]:
        with tempfile.TemporaryDirectory() as folder:
            source = unpack(package, Path(folder))
            for inside, ours in package["files"].items():
                shutil.copyfile(source / inside, STATIC / ours)
            if "icons" in package:
                text = sprite(package["icons"], source / package["icons_folder"])
                (STATIC / SPRITE).write_text(text, "utf-8", newline="\n")
    ours = [name for package in lock["packages"] for name in package["files"].values()]
    lock["sha256"] = {name: sha256(STATIC / name) for name in [*ours, SPRITE]}
    LOCK.write_text(json.dumps(lock, indent=2) + "\n", "utf-8", newline="\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fetch", action="store_true", help="download the pinned packages with npm")
    lock = json.loads(LOCK.read_text("utf-8"))
    if parser.parse_args().fetch:
        fetch(lock)
    found = faults(lock)
    sys.stdout.write("\n".join(found or [f"{len(lock['sha256'])} files as locked"]) + "\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
