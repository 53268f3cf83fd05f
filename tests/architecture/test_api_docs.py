"""docs/api.md cannot lie: every example is run, in order, against the demo county, and held against its answer."""

import json
import re
import shlex
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from apilab import check_described
from builders import signed_plans
from carelab import fault, plugged, watch
from conftest import SetClock, open_hub
from flask_openapi3.openapi import OpenAPI
from sqlalchemy import select, update
from uploadlab import a_recording
from werkzeug.test import TestResponse

import cunxiang
from broadcasts.sms.letters import inbound
from broadcasts.sms.reports import Inbound
from broadcasts.sms.sending.expansion import expand_next
from broadcasts.sms.states import Lane
from hub.app import build
from hub.core.runtime import Runtime
from hub.demo import seeding
from hub.residents.models import NumberKind, Phone, Resident
from hub.residents.phones import PhoneSafe
from hub.speakers.joining import desk
from hub.speakers.joining.claims import Device
from hub.speakers.joining.codes import claim_id
from hub.speakers.models import Speaker
from hub.web.api import PREFIX

PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"
BLOCK = re.compile(r"^```(sh|json)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NAMED = re.compile(r"`(GET|POST|PUT|DELETE) (/[\w{}/-]+)`")
ANY = "…"
WAITING = "NFZ2RGTVKPKQT0HV"
"""The claim code of a device that waits to be let in, as the page has it."""
VARYING = {"audio_ms", "seconds"}
A_MOMENT = 10**11


def silently(what: str, done: int, total: int) -> None:
    """Show no progress."""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    runtime = open_hub(tmp_path_factory.mktemp("demo") / "var", SetClock())
    seeding.seed(runtime, silently)
    with runtime.sessions.begin() as session:
        signed_plans(session)
        session.execute(update(Speaker).values(online=True, seen_at=runtime.now(), online_since=runtime.now()))
    yield runtime
    runtime.sessions.engine.dispose()


def statements(block: str) -> Iterator[str]:
    """Split a block of shell into its commands; quotes and backslashes carry one over several lines."""
    open_ = ""
    for line in block.splitlines():
        open_ += line + "\n"
        if line.endswith("\\"):
            continue
        try:
            shlex.split(open_.replace("\\\n", " "), comments=True)
        except ValueError:
            continue
        if open_.strip():
            yield open_.replace("\\\n", " ").strip()
        open_ = ""
    assert not open_.strip(), f"an unfinished command: {open_}"


@dataclass
class Shell:
    """Enough of a shell for the examples: variables, curl, and the word `call` that the page defines."""

    app: OpenAPI
    runtime: Runtime
    variables: dict[str, str] = field(default_factory=dict)
    answer: TestResponse | None = None
    called: set[str] = field(default_factory=set)

    def run(self, statement: str) -> None:
        if statement.startswith("export "):
            self._export(statement)
        elif not statement.startswith("call() {"):
            self._curl(self._words(statement))

    def _export(self, statement: str) -> None:
        name, _, value = statement.removeprefix("export ").partition("=")
        copied = re.search(r"#\s*((?:\.\w+)+) of the answer", value)
        later = re.fullmatch(r"\$\(\( \(\$\(date \+%s\) \+ (\d+)\) \* 1000 \)\)", value)
        if copied:
            assert self.answer is not None
            found: Any = self.answer.json
            for part in copied[1].strip(".").split("."):
                found = found[int(part)] if part.isdigit() else found[part]
            self.variables[name] = str(found)
        elif later:
            self.variables[name] = str(int(self.runtime.now().timestamp() + int(later[1])) * 1000)
        elif "base64" in value:
            self.variables[name] = b64encode(a_recording(1)).decode()
        else:
            self.variables[name] = value

    def _words(self, statement: str) -> list[str]:
        outside_quotes = re.split(r"('[^']*')", statement)
        filled = [part if part.startswith("'") else self._filled(part) for part in outside_quotes]
        return shlex.split("".join(filled))

    def _filled(self, text: str) -> str:
        return re.sub(r"\$(\w+)", lambda match: self.variables[match[1]], text)

    def _curl(self, words: list[str]) -> None:
        headers = {}
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            assert name == "KEY"
            headers["Authorization"] = f"Bearer {value}"
        if words.pop(0) == "call":
            headers["Content-Type"] = "application/json"
        method, address, data = "", "", None
        while words:
            match words.pop(0):
                case "-X":
                    method = words.pop(0)
                case "-H":
                    name, _, value = words.pop(0).partition(": ")
                    headers[name] = value
                case "-d":
                    data = words.pop(0).encode()
                case "-sS":
                    pass
                case address:
                    assert address.startswith("http://127.0.0.1:8600/api/v1/"), address
        self._send(method or ("POST" if data else "GET"), address.removeprefix("http://127.0.0.1:8600"), data, headers)

    def _send(self, method: str, path: str, data: bytes | None, headers: dict[str, str]) -> None:
        with self.runtime.sessions.begin() as session:  # what the background does in a running demo
            expand_next(session, Lane.ORDINARY, now=self.runtime.now())
        self.answer = self.app.test_client().open(path, method=method, data=data, headers=headers)
        assert self.answer.status_code != 500, self.answer.text
        assert self.answer.mimetype in ("application/json", "application/problem+json"), self.answer.text
        check_described(self.app, self.answer, method, path.partition("?")[0].removeprefix("/api/v1"))
        self.called.add(f"{method} {path.partition('?')[0]}")


def differences(shown: Any, real: Any, where: str = "") -> list[str]:
    """What an answer on the page says that the real one does not, and what it leaves out without saying so."""
    if isinstance(shown, str) and shown.endswith(ANY) and isinstance(real, str):
        return [] if real.startswith(shown.removesuffix(ANY)) else [f"{where}: {shown!r} shown, {real!r} real"]
    if isinstance(shown, dict) and isinstance(real, dict):
        return _in_objects(shown, real, where)
    if isinstance(shown, list) and isinstance(real, list):
        if not shown or not real:
            return [] if shown == real else [f"{where}: {shown} shown, {real} real"]
        return differences(shown[0], real[0], f"{where}[0]")
    if _is_moment(shown) and _is_moment(real):
        return []
    return [] if shown == real and type(shown) is type(real) else [f"{where}: {shown!r} shown, {real!r} real"]


def _in_objects(shown: dict[str, Any], real: dict[str, Any], where: str) -> list[str]:
    wanted = {name: value for name, value in shown.items() if name != ANY}
    found = [f"{where}.{name}: not in the answer" for name in wanted.keys() - real.keys()]
    if ANY not in shown:
        found += [f"{where}.{name}: left out on the page" for name in real.keys() - wanted.keys()]
    for name in wanted.keys() & real.keys():
        if name in VARYING:
            found += [] if isinstance(real[name], int) else [f"{where}.{name}: no number"]
        else:
            found += differences(wanted[name], real[name], f"{where}.{name}")
    return found


def _is_moment(value: Any) -> bool:
    return isinstance(value, int) and value > A_MOMENT


def test_the_comparison_sees_each_difference() -> None:
    real = {"a": 1, "b": {"c": "x"}, "d": [{"e": None}], "f": 1_800_000_000_000}
    same = {"a": 1, "b": {"c": ANY}, "d": [{"e": None}], "f": 1_700_000_000_000}
    assert differences(same, real) == []
    assert differences({"a": 1, ANY: ANY}, real) == []
    slips: list[dict[str, Any]] = [{"a": 2}, {"a": "1"}, {"b": {"c": "y"}}, {"d": [{"e": 0}]}, {"d": []}, {"f": 1}]
    for wrong in slips:
        assert len(differences({**same, **wrong}, real)) == 1
    assert differences({"a": 1}, real) != []
    assert differences({**same, "g": 1}, real) == [".g: not in the answer"]


def test_every_verb_there_is_stands_on_the_page_and_no_other(one_app: OpenAPI) -> None:
    page = PAGE.read_text(encoding="utf-8")
    shown = {verb_of(one) for kind, block in BLOCK.findall(page) if kind == "sh" for one in statements(block)} - {""}
    named = {f"{method} {PREFIX}{path}" for method, path in NAMED.findall(page)}
    assert uncalled(one_app, shown) == [], "a verb without an example"
    assert undescribed(one_app, shown | named) == [], "an example of a verb that there is not"
    assert len(shown) > 60


def test_a_verb_that_is_missing_or_made_up_is_seen(one_app: OpenAPI) -> None:
    assert verb_of("KEY=$CLERK call -X POST $API/joining/$CLAIM/dismiss") == f"POST {PREFIX}/joining/x/dismiss"
    assert verb_of('KEY=$CLERK call "$API/speakers?limit=2"') == f"GET {PREFIX}/speakers"
    assert verb_of("curl -sS $API/tokens -d '{}'") == f"POST {PREFIX}/tokens"
    assert verb_of("export ID=…  # .id of the answer") == ""
    made_up = [f"GET {PREFIX}/joining/claims", f"DELETE {PREFIX}/speakers/x", f"PUT {PREFIX}/me"]
    assert undescribed(one_app, {*made_up, f"GET {PREFIX}/residents/count"}) == sorted(made_up)
    assert f"GET {PREFIX}/residents/count" in uncalled(one_app, {f"GET {PREFIX}/residents/x"})


@pytest.mark.slow
def test_every_example_works_and_answers_what_the_page_says(demo: Runtime) -> None:
    app = build(demo, cunxiang.FEATURES)
    plugged(demo)
    watch(demo).faults([fault("cx-121", "mains_lost")])
    desk.announce(demo, Device(claim_id(WAITING), "SN-7", "horn-2", "1.0"), "10.0.0.7")
    wrote(demo, "我家屋后在滑坡")
    shell = Shell(app, demo)
    problems = []
    refused: list[str] = []
    for kind, block in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "sh":
            problems += refused
            refused = [found for statement in statements(block) if (found := refusal_of(shell, statement))]
        else:
            assert shell.answer is not None
            shown = json.loads(block)
            problems += [] if shown.get("status", 200) >= 400 else refused
            refused = []
            problems += [f"{shell.answer.request.path}{d}" for d in differences(shown, shell.answer.json)]
    assert problems + refused == [], "\n".join(problems + refused)
    assert uncalled(app, shell.called) == [], "a verb without an example"


def wrote(demo: Runtime, text: str) -> None:
    """Let a resident of the clerk's township write to the hub."""
    with demo.sessions.begin() as session:
        safe = demo.get(PhoneSafe)
        mobile = select(Phone).join(Resident, Resident.id == Phone.resident_id).where(Phone.kind == NumberKind.MOBILE)
        phone = session.scalars(mobile.order_by(Resident.region_path).limit(1)).one()
        inbound.receive(
            session, safe, "local", [Inbound(safe.open(phone.sealed), text, "m1", demo.now())], now=demo.now()
        )


def refusal_of(shell: Shell, statement: str) -> str:
    """Run a command of the page; return what refused it. Only a block that the page ends with a refusal may be."""
    before = shell.answer
    shell.run(statement)
    answer = shell.answer
    return f"{statement}: {answer.text}" if answer and answer is not before and answer.status_code >= 400 else ""


def verb_of(statement: str) -> str:
    """Return the method and address a command of the page calls, "" when it calls none. Variables become `x`."""
    found = re.search(r"\$API(/[^\s\"?]*)", statement)
    if found is None:
        return ""
    method = re.search(r"-X ([A-Z]+)", statement)
    used = method[1] if method else "POST" if " -d " in statement else "GET"
    return f"{used} {PREFIX}{re.sub(r'[$][A-Z]+', 'x', found[1])}"


def undescribed(app: OpenAPI, called: set[str]) -> list[str]:
    """Return the verbs that the description does not know."""
    known = [
        re.compile(re.sub(r"{\w+}", r"[^/]+", f"{method.upper()} {path}"))
        for path, item in app.api_doc["paths"].items()
        for method in item
    ]
    return sorted(one for one in called if not any(pattern.fullmatch(one) for pattern in known))


def uncalled(app: OpenAPI, called: set[str]) -> list[str]:
    """Return the verbs of which no example was run. An address without braces beats one with them."""
    plain = {f"{m.upper()} {path}" for path, item in app.api_doc["paths"].items() for m in item if "{" not in path}
    found = []
    for path, item in app.api_doc["paths"].items():
        for method in item:
            verb = f"{method.upper()} {path}"
            pattern = re.compile(re.sub(r"{\w+}", "[^/]+", verb))
            if verb not in called and not any(pattern.fullmatch(one) and one not in plain for one in called):
                found.append(verb)
    return found
