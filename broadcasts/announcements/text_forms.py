"""Text messages made from a ready-made text: which there are, which one is chosen, what stands in its blanks."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from sqlalchemy.orm import Session

from broadcasts.announcements import forms
from broadcasts.announcements.forms import Form
from broadcasts.sms.gateways.filed import blanks_of
from broadcasts.sms.wording import templates
from broadcasts.sms.wording.templates import Kept
from hub.core.errors import BadInput

BLANK_LENGTH = 60


@dataclass(frozen=True, slots=True)
class TextForms:
    """Ready-made texts for the compose page, the approved first, and the blanks of the chosen one."""

    kept: Sequence[Kept]
    chosen: Kept | None
    blanks: tuple[tuple[str, str], ...]
    """Their names and what was typed."""


def offered(session: Session, form: Form, providers: Sequence[str]) -> TextForms:
    """Return them; `providers` are those that are configured."""
    every = templates.every(session)
    kept = sorted(every, key=lambda one: not any(one.approved(name) for name in providers))
    chosen = _chosen(every, form)
    names = blanks_of(chosen.template.text) if chosen else ()
    typed = (*_typed(form), *("" for _ in names))
    return TextForms(kept, chosen, tuple(zip(names, typed, strict=False)))


def filled(session: Session, form: Form) -> Form:
    """Return the form with the message made from its ready-made text. While blanks are open nothing is changed."""
    chosen = _chosen(templates.every(session), form)
    if chosen is None:
        raise BadInput("sms_template_unknown", field="sms_template")
    names = blanks_of(chosen.template.text)
    typed = _typed(form)[: len(names)]
    if names and not any(typed):
        return form
    if len(typed) < len(names) or not all(typed):
        raise BadInput("sms_template_blank", field="blank")
    text = templates.fill(chosen.template.text, typed)
    return replace(form, values=replace(form.values, sms_text=text), draft=replace(form.draft, sms_text=text))


def _chosen(every: Sequence[Kept], form: Form) -> Kept | None:
    wanted = forms.as_id(form.values.sms_template)
    return next((one for one in every if one.template.id == wanted), None)


def _typed(form: Form) -> list[str]:
    """Return what was typed into the blanks of the chosen text, and not into those of another."""
    same = form.values.blanks_of == form.values.sms_template
    return [value.strip()[:BLANK_LENGTH] for value in form.values.blanks] if same else []
