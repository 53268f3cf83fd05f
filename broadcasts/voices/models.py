"""The voice that staff chose for a language."""

from datetime import datetime

from sqlalchemy import Float, String
from sqlalchemy.orm import Mapped, mapped_column

from broadcasts.speech.engine import Language
from hub.core.db import Base, StateText


class VoiceChoice(Base):
    """Who speaks a language, how fast, how high and how loud. One for the whole hub; none: what is configured."""

    __tablename__ = "voice_choice"

    language: Mapped[Language] = mapped_column(StateText(Language), primary_key=True)
    engine: Mapped[str] = mapped_column(String(30))
    voice: Mapped[str] = mapped_column(String(60))
    rate: Mapped[int]
    pitch: Mapped[int]
    gain_db: Mapped[float] = mapped_column(Float)
    by: Mapped[str] = mapped_column(String(60))
    at: Mapped[datetime]
