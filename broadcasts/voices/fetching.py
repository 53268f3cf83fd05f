"""Fetch the voice that sounds like a person while the hub is already at work, and use it from then on."""

import logging
import threading

from broadcasts.speech import kokoro_weights
from broadcasts.speech.engine import SpeechFailed
from broadcasts.speech.finding import EngineContext

log = logging.getLogger(__name__)
AT_FIRST_S = 20.0
"""The first pages come first."""


def _silently(what: str, done: int, total: int) -> None:
    """Tell nobody how far it is."""


class Fetching:
    """One attempt in the background. Whatever becomes of it is one line in the log; other voices speak meanwhile."""

    def __init__(self, context: EngineContext, *, at_first_s: float = AT_FIRST_S) -> None:
        self._context, self._at_first_s = context, at_first_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="voice-fetching", daemon=True)

    def start(self) -> None:
        """Begin, a little later."""
        if not kokoro_weights.is_complete(self._context.weights):
            self._thread.start()

    def stop(self) -> None:
        """Do not begin any more; what pip is doing ends by itself and is used the next time."""
        self._stopping.set()

    def _run(self) -> None:
        if self._stopping.wait(self._at_first_s):
            return
        try:
            kokoro_weights.install_runtime()
            kokoro_weights.install(self._context.weights, _silently)
        except SpeechFailed as failure:
            log.warning("the neural voice could not be fetched, the machine voice speaks: %s", failure)
            return
        log.warning("the neural voice is there and speaks from now on")
