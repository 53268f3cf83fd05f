"""The library on the compose page: what stands in the form is looked up, what is pressed is put in."""

from dataclasses import replace
from datetime import date
from uuid import UUID

from sqlalchemy.orm import Session

from broadcasts.announcements import forms, playing
from broadcasts.announcements.drafting import Draft
from broadcasts.announcements.forms import Form
from broadcasts.materials import service as materials
from broadcasts.materials.models import Material
from hub.core.actor import Actor
from hub.core.errors import BadInput


def looked_up(session: Session, actor: Actor, form: Form, *, day: date) -> Form:
    """Return the form with what it names of the library. A recording that may not be used is a mistake."""
    wants_recording = form.values.what == forms.RECORDING
    wanted = forms.as_id(form.values.material if wants_recording else form.values.origin)
    if wanted is None:
        return _without(form, BadInput("material_no_recording", field="material")) if wants_recording else form
    try:
        draft = playing.chosen(session, actor, form.draft, wanted, day=day)
    except BadInput as error:
        return _without(form, error) if wants_recording else form
    if not wants_recording:
        return replace(form, draft=draft) if draft.recording is None else form
    if draft.recording is None:
        return _without(form, BadInput("material_no_recording", field="material"))
    return replace(form, draft=draft)


def put_in(session: Session, actor: Actor, form: Form, material_id: UUID, *, day: date) -> Form:
    """Return the form with a material of the library in it. BadInput when it may not be used."""
    material = materials.usable(session, actor, material_id, day=day)
    typed = form.draft.text and form.draft.text != material.text
    values = replace(
        form.values,
        title=material.title,
        text=material.text,
        sms_text=material.sms_text,
        theme=material.theme.value,
        material=str(material.id) if material.is_recording else "",
        origin="" if material.is_recording else str(material.id),
        what=forms.RECORDING if material.is_recording else forms.WORDS,
    )
    draft = playing.chosen(session, actor, _filled(form, material), material.id, day=day)
    return replace(form, values=values, draft=draft, was=(form.values.title, form.values.text) if typed else None)


def _filled(form: Form, material: Material) -> Draft:
    return replace(
        form.draft,
        title=material.title,
        text=material.text,
        sms_text=material.sms_text,
        theme=material.theme,
        relay=None,
    )


def _without(form: Form, mistake: BadInput) -> Form:
    return replace(form, draft=replace(form.draft, recording=None), mistakes=(*form.mistakes, mistake))
