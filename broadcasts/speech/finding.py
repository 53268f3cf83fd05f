"""Speech engines are found by entry point, and opened with the configuration."""

import sys
from dataclasses import dataclass
from pathlib import Path

from broadcasts.settings import SpeechSettings
from broadcasts.speech.engine import N_, SpeechEngine, SpeechFailed
from hub.core.plugins import offered

ENTRY_POINTS = "cunxiang.speech_engines"


class UnknownEngine(SpeechFailed):
    """The configuration names a speech engine that is not installed."""


@dataclass(frozen=True, slots=True)
class EngineContext:
    """What an engine is opened with: the configuration, and the folder for weights that belong to the programme."""

    settings: SpeechSettings
    weights: Path


def context_of(settings: SpeechSettings) -> EngineContext:
    """Weights lie beside the programme they belong to, not in the data folder: backups need not hold them."""
    weights = settings.weights_dir or Path(sys.prefix) / "share" / "cunxiang" / "voices"
    return EngineContext(settings=settings, weights=weights)


def installed_engines() -> tuple[str, ...]:
    return tuple(sorted({entry.name for entry in offered(ENTRY_POINTS)}))


def load_engine(name: str, context: EngineContext) -> SpeechEngine:
    """The installed engine of that name; UnknownEngine lists what there is.

    The entry point names a callable that takes the context and makes the engine; it neither speaks nor waits.
    """
    found = tuple(offered(ENTRY_POINTS).select(name=name))
    if not found:
        listed = "、".join(installed_engines()) or "—"
        raise UnknownEngine(
            N_("没有叫“%(name)s”的语音引擎。已安装的有：%(installed)s"),
            values={"name": name, "installed": listed},
        )
    made = found[0].load()(context)
    if not isinstance(made, SpeechEngine):
        raise UnknownEngine(N_("“%(name)s”不是可用的语音引擎"), values={"name": name})
    return made
