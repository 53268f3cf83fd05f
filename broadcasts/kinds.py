"""Kinds of things that are said: what an announcement is about, how grave an emergency is."""

from enum import StrEnum


class Theme(StrEnum):
    """What it is about; decides the attention tone and the statistics."""

    NOTICE = "notice"
    SAFETY = "safety"
    FRAUD = "fraud"
    LAW = "law"


class Colour(StrEnum):
    """The four national levels, the gravest first."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"
