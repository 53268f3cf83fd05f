"""Kinds of things that are said: what an announcement is about, how grave an emergency is, and whether it is one."""

from enum import StrEnum


class Theme(StrEnum):
    """What it is about; decides the attention tone and the statistics."""

    NOTICE = "notice"
    SAFETY = "safety"
    FRAUD = "fraud"
    LAW = "law"
    DRILL = "drill"
    """Said as part of an exercise, to people who might take it for the real thing: it says so from end to end."""


class Colour(StrEnum):
    """The four national levels, the gravest first."""

    RED = "red"
    ORANGE = "orange"
    YELLOW = "yellow"
    BLUE = "blue"


class Mode(StrEnum):
    """Whether it is meant, or an exercise."""

    LIVE = "live"
    DRILL = "drill"


class Act(StrEnum):
    """What an emergency message does: begin a matter, follow its course, take it back, end it."""

    ALERT = "alert"
    UPDATE = "update"
    CORRECTION = "correction"
    ALL_CLEAR = "all_clear"
