"""Templates hold to the content security policy, and name only icons and styles that exist."""

import hashlib
import json
import re
from pathlib import Path

import jinja2
import pytest

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "templates"
STATIC = ROOT / "hub" / "static"
PAGES = sorted(TEMPLATES.rglob("*.html"))

FORBIDDEN = {
    "an inline style": re.compile(r"\sstyle\s*=", re.IGNORECASE),
    "a style element": re.compile(r"<style[\s>]", re.IGNORECASE),
    "an inline handler": re.compile(r"<[a-z][^<>]*\son[a-z]+\s*=", re.IGNORECASE),
    "an htmx handler": re.compile(r"\shx-on[:-]", re.IGNORECASE),
    "an htmx trigger filter": re.compile(r"hx-trigger=\"[^\"]*\["),
    "a javascript: address": re.compile(r"javascript:|\bjs:", re.IGNORECASE),
    "an outside address": re.compile(r"(?:src|href|action|url\()\s*=?\s*[\"'(]?\s*(?:https?:)?//", re.IGNORECASE),
    "unescaped output": re.compile(r"\|\s*safe\b"),
}
SCRIPT = re.compile(r"<script(?P<attributes>[^>]*)>(?P<code>.*?)</script>", re.IGNORECASE | re.DOTALL)
ICON_USES = (
    re.compile(r"(?:\bicon|_picture)\(\s*'([a-z0-9-]+)'"),
    re.compile(r"\bicon\s*=\s*'([a-z0-9-]+)'"),
    re.compile(r"(?:'(?:ok|warn|bad|info)'|mode)\s*:\s*'([a-z0-9-]+)'(?=[,}])"),
)
CSS_BEYOND_FLOOR = re.compile(
    r":has\(|color-mix\(|\b(?:ok)?l(?:ch|ab)\(|@layer|@container|@scope|\b\d+[dsl]v[hw]\b|(?<![\w-])inset\s*:|(?<![\w-])&"
    r"|subgrid|overflow(?:-[xy])?\s*:\s*clip\b"
)
JS_BEYOND_FLOOR = re.compile(
    r"\?\.(?!\d)|\?\?=|\|\|=|&&=|\beval\(|new Function\(|\.at\(|\.findLast\(|\.toSorted\(|Object\.hasOwn\("
    r"|structuredClone\(|randomUUID\(|AbortSignal\.timeout\("
)
OWN_STYLES, OWN_SCRIPTS = sorted(STATIC.glob("*.css")), sorted(STATIC.glob("*.js"))


def without_comments(text: str) -> str:
    return re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)


def faults(text: str) -> list[str]:
    """What a template does that our content security policy would refuse."""
    shown = without_comments(text)
    found = [name for name, pattern in FORBIDDEN.items() if pattern.search(shown)]
    for script in SCRIPT.finditer(shown):
        data = 'type="application/json"' in script["attributes"]
        if script["code"].strip() and not data:
            found.append("an inline script")
    return found


def sprite_icons() -> set[str]:
    return set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text("utf-8")))


def icons_in(text: str) -> set[str]:
    shown = without_comments(text)
    named = {name for pattern in ICON_USES for name in pattern.findall(shown)}
    return named - {"auto"}  # a macro's default: the icon that goes with the tone


def name_of(page: Path) -> str:
    return page.relative_to(TEMPLATES).as_posix()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_template_has_nothing_our_content_security_policy_refuses(page: Path) -> None:
    assert faults(page.read_text("utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_icon_a_template_names_is_in_the_sprite(page: Path) -> None:
    assert icons_in(page.read_text("utf-8")) - sprite_icons() == set()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_a_template_is_well_formed(page: Path) -> None:
    jinja2.Environment(extensions=["jinja2.ext.i18n"], autoescape=True).parse(page.read_text("utf-8"))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('<p style="color:red">', "an inline style"),
        ("<style>p{}</style>", "a style element"),
        ('<button onclick="go()">', "an inline handler"),
        ('<div hx-on:click="go()">', "an htmx handler"),
        ('<div hx-trigger="every 5s [seen]">', "an htmx trigger filter"),
        ("<script>go()</script>", "an inline script"),
        ('<script src="https://cdn.example/x.js"></script>', "an outside address"),
        ('<img src="//cdn.example/x.png">', "an outside address"),
        ('<a href="javascript:go()">', "a javascript: address"),
        ("{{ words|safe }}", "unescaped output"),
    ],
)
def test_the_lint_sees_each_fault(text: str, fault: str) -> None:
    assert fault in faults(text)


def test_the_lint_lets_data_scripts_and_comments_pass() -> None:
    assert faults('<script type="application/json">{"a": 1}</script>{# style="x" #}') == []


def test_the_lint_sees_an_unknown_icon() -> None:
    assert "no-such-icon" in icons_in("{{ ui.icon('no-such-icon') }}") - sprite_icons()
    assert "no-such-icon" in icons_in("{{ ui.button(_('存'), icon='no-such-icon') }}") - sprite_icons()


def without_remarks(text: str) -> str:
    return re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)


@pytest.mark.parametrize("sheet", OWN_STYLES, ids=lambda sheet: sheet.name)
def test_a_style_sheet_keeps_to_the_oldest_browser_we_serve(sheet: Path) -> None:
    assert CSS_BEYOND_FLOOR.findall(without_remarks(sheet.read_text("utf-8"))) == []


@pytest.mark.parametrize("script", OWN_SCRIPTS, ids=lambda script: script.name)
def test_a_script_keeps_to_the_oldest_browser_we_serve(script: Path) -> None:
    assert JS_BEYOND_FLOOR.findall(without_remarks(script.read_text("utf-8"))) == []


def test_what_an_old_browser_does_not_know_is_seen() -> None:
    beyond = ("a:has(b)", "color:color-mix(x)", "a{& b{}}", "color:oklch(1)", "@layer x;", "height:9dvh", "inset:0")
    assert [text for text in beyond if not CSS_BEYOND_FLOOR.search(text)] == []
    for text in ("a?.b", "a ??= b", "a ||= b", "a &&= b", "list.at(-1)", "crypto.randomUUID()", "structuredClone(a)"):
        assert JS_BEYOND_FLOOR.search(text), text
    assert not JS_BEYOND_FLOOR.search("a ?.5 : 1")
    assert {sheet.name for sheet in OWN_STYLES} >= {"app.css", "village.css"}
    assert {script.name for script in OWN_SCRIPTS} >= {"app.js", "shout.js", "passkeys.js"}


def test_vendored_files_are_the_locked_ones() -> None:
    lock = json.loads((STATIC / "vendor" / "vendor.lock.json").read_text("utf-8"))
    found = {name: hashlib.sha256((STATIC / name).read_bytes()).hexdigest() for name in lock["sha256"]}
    assert found == lock["sha256"]


def spoken_once(trees: dict[str, jinja2.nodes.Template]) -> set[str]:
    """Templates that are imported without context and translate something outside their macros.

    Jinja keeps what such an import has found for the whole process, in the language of who asked first.
    """
    kept = {
        found.template.value
        for tree in trees.values()
        for found in tree.find_all(jinja2.nodes.Import)
        if not found.with_context and isinstance(found.template, jinja2.nodes.Const)
    }
    return {
        name
        for name in kept
        for part in trees[name].body
        if isinstance(part, jinja2.nodes.Assign)
        for call in part.find_all(jinja2.nodes.Call)
        if isinstance(call.node, jinja2.nodes.Name) and call.node.name in ("_", "ngettext")
    }


def test_no_word_is_kept_in_the_language_of_who_asked_first() -> None:
    parser = jinja2.Environment(extensions=["jinja2.ext.i18n", "jinja2.ext.do"])  # noqa: S701 - it only reads
    trees = {str(page.relative_to(TEMPLATES)): parser.parse(page.read_text("utf-8")) for page in PAGES}
    assert spoken_once(trees) == set(), "import it `with context`"
    planted = {"a": parser.parse("{% set words = {1: _('x')} %}"), "b": parser.parse("{% import 'a' as a %}")}
    assert spoken_once(planted) == {"a"}
