"""The device's side of joining: ask a hub for papers, open them with the claim code, become a loudspeaker."""

import json
import logging
import os
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import HTTPError as Urllib3Error

from hub.core.typed import new_code, read_code
from hub.speakers.joining.codes import claim_id
from hub.speakers.joining.papers import Papers, open_papers

log = logging.getLogger(__name__)

TIMEOUT_S: Final = 15
SHORTEST_S: Final = 5.0
LONGEST_S: Final = 300.0
LARGEST: Final = 65_536
SPREAD: Final = 0.2
"""Devices that came to life at the same moment do not go on asking at the same moment."""


class CannotJoin(Exception):
    """Nothing will come of asking on; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Applicant:
    """A device that looks for its hub. `ca_file` is the authority of a hub whose HTTPS certificate is its own."""

    hub_url: str
    code: str
    serial: str = ""
    model: str = ""
    version: str = ""
    ca_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """What one question brought: papers, or how long to wait and why."""

    papers: Papers | None
    wait_s: float = SHORTEST_S
    why: str = ""


def code_for(path: Path, given: str | None) -> str:
    """Return the code to join with: the one given, or this device's own, made once and kept for its owner alone."""
    if given is not None:
        code = read_code(given)
        if code is None:
            raise CannotJoin("A claim code has 16 letters and digits, such as ABCD-EFGH-JKMN-PQRS.")
        return code
    if path.exists():
        kept = read_code(path.read_text(encoding="ascii"))
        if kept is not None:
            return kept
    code = new_code()
    _write_private(path, code + "\n")
    return code


def join(
    applicant: Applicant,
    out: Path,
    *,
    tell: Callable[[str], None] = lambda _: None,
    sleep: Callable[[float], None] = time.sleep,
) -> Path:
    """Ask until the papers come, then write the device file. CannotJoin when the hub says that none will come."""
    failures = 0
    while True:
        heard = ask(applicant)
        if heard.papers is not None:
            return save(applicant, heard.papers, out)
        failures = failures + 1 if heard.why else 0
        wait = min(LONGEST_S, max(SHORTEST_S, heard.wait_s) * 2 ** min(failures, 6))
        if heard.why:
            tell(f"{heard.why} Trying again in {wait:.0f} s.")
        sleep(wait * random.uniform(1 - SPREAD, 1 + SPREAD))  # noqa: S311 - no secret depends on it


def ask(applicant: Applicant) -> Heard:
    """Ask once. CannotJoin when the answer is final, or was not sealed by somebody who knows the code."""
    body = {
        "claim": claim_id(applicant.code),
        "serial": applicant.serial[:60],
        "model": applicant.model[:40],
        "version": applicant.version[:40],
    }
    try:
        with requests.post(
            f"{applicant.hub_url.rstrip('/')}/join",
            json=body,
            timeout=TIMEOUT_S,
            verify=str(applicant.ca_file) if applicant.ca_file else True,
            allow_redirects=False,
            stream=True,
        ) as answer:
            said = _read(answer)
    except requests.exceptions.SSLError as error:
        raise CannotJoin(f"The hub's certificate cannot be trusted: {error}. Is --ca-file right?") from error
    except (requests.RequestException, Urllib3Error) as error:
        return Heard(None, why=f"The hub does not answer ({type(error).__name__}).")
    return _understand(applicant, answer.status_code, said)


def save(applicant: Applicant, papers: Papers, out: Path) -> Path:
    """Write the device file, for its owner alone, and the broker's authority beside it."""
    ca_file = None
    if papers.ca:
        ca_file = out.with_suffix(".ca.pem").resolve()
        _write_private(ca_file, papers.ca)
    host = urlsplit(applicant.hub_url).hostname or ""
    papers.device_file(host, ca_file).save(out)
    return out


def _read(answer: requests.Response) -> dict[str, Any]:
    """Return the JSON object of an answer, {} when it is none; no more is read than an answer can have."""
    data = answer.raw.read(LARGEST, decode_content=True)
    try:
        said = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _understand(applicant: Applicant, status: int, said: dict[str, Any]) -> Heard:
    if status == 202:
        again = said.get("again_in_s")
        return Heard(None, float(again) if isinstance(again, int) else SHORTEST_S)
    if status == 410:
        raise CannotJoin(GONE.get(str(said.get("why")), GONE["used"]))
    if status in {413, 422, 404, 405}:
        raise CannotJoin(f"{applicant.hub_url} does not know devices that join (HTTP {status}). Is the address right?")
    if status != 200:
        return Heard(None, why=f"The hub is busy or away (HTTP {status}).")
    papers = open_papers(applicant.code, str(said.get("papers", "")))
    if papers is None:
        raise CannotJoin("The papers were not sealed with this device's code: this is not the hub its owner meant.")
    return Heard(papers)


def _write_private(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)


GONE: Final = {
    "used": "This code has been used. Start again with a new one: delete the .code file, or use a new label.",
    "dismissed": "This code was taken back, or its time is over. Ask the people of the hub for a new one.",
}
