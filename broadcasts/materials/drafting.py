"""What somebody typed about a material, checked; and the hash that an approval is of."""

import hashlib
import json
from dataclasses import dataclass, replace
from datetime import date, timedelta

from broadcasts.kinds import Theme
from broadcasts.materials.models import Material
from hub.core.errors import BadInput

TITLE_LENGTH = 30
TEXT_LENGTH = 1000
SMS_LENGTH = 450
SOURCE_LENGTH = 60
MOST_TAGS, TAG_LENGTH = 8, 12
FURTHEST = timedelta(days=3 * 366)


@dataclass(frozen=True, slots=True)
class MaterialDraft:
    """The fields of the form as values. `home` is a region's code; empty = where the writer belongs."""

    title: str = ""
    theme: Theme = Theme.NOTICE
    text: str = ""
    sms_text: str = ""
    source: str = ""
    valid_until: date | None = None
    tags: tuple[str, ...] = ()
    home: str = ""

    @property
    def settled(self) -> "MaterialDraft":
        """The same as it is stored."""
        tags = tuple(dict.fromkeys(tag.strip() for tag in self.tags if tag.strip()))
        return replace(
            self,
            title=self.title.strip(),
            text=self.text.strip(),
            sms_text=self.sms_text.strip(),
            source=self.source.strip(),
            tags=tags,
        )

    def too_long(self) -> list[BadInput]:
        """Return what cannot even be kept."""
        limits = {"title": TITLE_LENGTH, "text": TEXT_LENGTH, "sms_text": SMS_LENGTH, "source": SOURCE_LENGTH}
        found = [
            BadInput("material_field_too_long", field=name, most=most, over=len(getattr(self, name)) - most)
            for name, most in limits.items()
            if len(getattr(self, name)) > most
        ]
        if len(self.tags) > MOST_TAGS or any(len(tag) > TAG_LENGTH for tag in self.tags):
            found.append(BadInput("material_tags_too_many", field="tags", most=MOST_TAGS, length=TAG_LENGTH))
        return found


def problems(material: Material, today: date) -> list[BadInput]:
    """Return everything that keeps it from being submitted."""
    found = []
    if not material.title:
        found.append(BadInput("title_missing", field="title"))
    if not material.text and not material.is_recording:
        found.append(BadInput("text_missing", field="text"))
    if "【" in material.sms_text or "】" in material.sms_text:
        found.append(BadInput("sms_brackets", field="sms_text"))
    if not material.source:
        found.append(BadInput("material_source_missing", field="source"))
    if material.is_over(today):
        found.append(BadInput("material_valid_past", field="valid_until"))
    elif material.valid_until is not None and material.valid_until > today + FURTHEST:
        found.append(BadInput("time_too_far", field="valid_until"))
    return found


def content_hash(material: Material) -> str:
    """Return the hash over everything that people hear and read, and how long it holds."""
    m = material
    content = [
        m.kind, m.title, m.theme, m.text, m.sms_text, m.source, str(m.valid_until), list(m.tags), m.home_path,
        m.audio_sha256,
    ]  # fmt: skip
    return hashlib.sha256(json.dumps(content, ensure_ascii=False).encode()).hexdigest()
