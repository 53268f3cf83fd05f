"""What the hub is made of, as CycloneDX 1.6, read off the installed packages themselves. Run by scripts/sbom."""

import json
import re
import sys
from collections.abc import Iterator
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from typing import Any

from packaging.requirements import Requirement

OURS = "cunxiang"
EXTRAS = ("neural", "celery", "cluster")
"""What may be installed besides; named when it is there."""


def name_of(text: str) -> str:
    """Return a package's name as PyPI spells it in addresses."""
    return re.sub(r"[-_.]+", "-", text).lower()


def needed(found: Distribution, extras: tuple[str, ...] = ("",)) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield what a package needs on this machine, with the extras that it wants of it."""
    for line in found.requires or ():
        requirement = Requirement(line)
        if requirement.marker is None or any(requirement.marker.evaluate({"extra": extra}) for extra in extras):
            yield name_of(requirement.name), tuple(requirement.extras)


def closure() -> dict[str, Distribution]:
    """Return the hub and everything below it that is installed."""
    found: dict[str, Distribution] = {}
    waiting: list[tuple[str, tuple[str, ...]]] = [(OURS, ("", *EXTRAS))]
    seen: set[tuple[str, tuple[str, ...]]] = set()
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            package = distribution(name)
        except PackageNotFoundError:
            continue
        found[name] = package
        waiting += list(needed(package, ("", *extras)))
    return found


def licences(package: Distribution) -> list[dict[str, Any]]:
    """Return the licence as CycloneDX has it: an SPDX expression, or the words the package uses."""
    given = package.metadata.json
    expression, words = given.get("license_expression"), str(given.get("license") or "").strip()
    kinds = [line.rpartition(" :: ")[2] for line in given.get("classifier", []) if line.startswith("License ::")]
    if expression:
        return [{"expression": expression}]
    name = words if words and len(words) < 80 and "\n" not in words else "; ".join(kinds)
    return [{"license": {"name": name}}] if name else []


def component(name: str, package: Distribution) -> dict[str, Any]:
    """Return one package."""
    made: dict[str, Any] = {
        "type": "application" if name == OURS else "library",
        "bom-ref": f"pkg:pypi/{name}@{package.version}",
        "name": name,
        "version": package.version,
        "purl": f"pkg:pypi/{name}@{package.version}",
    }
    found = licences(package)
    return made | ({"licenses": found} if found else {})


def bom() -> dict[str, Any]:
    """Return the whole document. It has no time and no serial number: the same packages make the same document."""
    packages = closure()
    below = {
        name: sorted(
            {
                f"pkg:pypi/{other}@{packages[other].version}"
                for other, _ in needed(package, ("", *(EXTRAS if name == OURS else ())))
                if other in packages
            }
        )
        for name, package in packages.items()
    }
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": component(OURS, packages[OURS])},
        "components": [component(name, packages[name]) for name in sorted(packages) if name != OURS],
        "dependencies": [
            {"ref": f"pkg:pypi/{name}@{packages[name].version}", "dependsOn": below[name]} for name in sorted(packages)
        ],
    }


if __name__ == "__main__":
    json.dump(bom(), sys.stdout, ensure_ascii=False, indent=1)
    sys.stdout.write("\n")
