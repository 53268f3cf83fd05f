"""Every engine that is installed here, from text to the finished file that loudspeakers fetch."""

from collections.abc import Iterator

import numpy as np
import pytest

from broadcasts.settings import SpeechSettings
from broadcasts.speech import audio
from broadcasts.speech.engine import SpeechEngine, VoiceSpec
from broadcasts.speech.finding import context_of, installed_engines, load_engine
from broadcasts.speech.kokoro_engine import KokoroEngine
from broadcasts.speech.library import Library, RenderOrder, estimate_ms
from broadcasts.speech.loudness import loudness
from broadcasts.speech.signals import Samples

pytestmark = pytest.mark.slow

TEXT = "各位村民请注意，今天下午3点到5点停水，请提前接好水。"
CONTEXT = context_of(SpeechSettings(neural_keep_minutes=0.2))
SPEAKING = [name for name in ("pyttsx3", "kokoro", "sherpa", "piper", "cloud") if name in installed_engines()]


@pytest.fixture(scope="module", params=SPEAKING)
def engine(request: pytest.FixtureRequest) -> Iterator[SpeechEngine]:
    made = load_engine(request.param, CONTEXT)
    if not made.info().ready:
        pytest.skip(f"{made.name}: {made.info().reason}")
    yield made
    if isinstance(made, KokoroEngine):
        made.stop()


@pytest.fixture(scope="module")
def said(engine: SpeechEngine, tmp_path_factory: pytest.TempPathFactory) -> Samples:
    """One pass of the words out of the finished file, without anything around them."""
    folder = tmp_path_factory.mktemp(engine.name)
    library = Library(folder, {engine.name: engine})
    order = RenderOrder(TEXT, voice=VoiceSpec(engine=engine.name), repeats=1, signal=None, lead_s=0.0, timeout_s=300)
    made = library.render(order)
    assert made.engine == engine.name
    assert 0.6 < made.duration_ms / estimate_ms(order) < 1.7
    path = library.path_of(made.sha256)
    assert path is not None
    samples = audio.decode(path)
    assert len(samples) == pytest.approx(made.duration_ms * audio.RATE / 1000, abs=3000)
    return samples[: round(made.speech_ms * audio.RATE / 1000)]


def test_it_is_heard_as_loud_as_everything_else_and_never_clips(said: Samples) -> None:
    assert loudness(said, audio.RATE) == pytest.approx(audio.TARGET_LUFS, abs=1.0)
    assert 20 * np.log10(np.abs(said).max()) < -1.0


def test_its_energy_is_where_a_horn_can_play_it(said: Samples) -> None:
    power = np.abs(np.fft.rfft(said.astype(float))) ** 2
    hertz = np.fft.rfftfreq(len(said), 1 / audio.RATE)
    assert power[hertz < 250].sum() / power.sum() < 0.02
    assert power[(hertz >= 300) & (hertz < 6500)].sum() / power.sum() > 0.9


def test_the_first_syllable_is_not_cut(said: Samples) -> None:
    """`各` begins with a stop and ends in a vowel: both are in the first third of a second."""
    beginning = said[: int(0.3 * audio.RATE)].astype(float)
    whole = np.sqrt(np.mean(said.astype(float) ** 2))
    assert np.sqrt(np.mean(beginning**2)) > 0.3 * whole
    first = said[: int(0.01 * audio.RATE)]
    assert np.abs(first).max() < 0.5 * np.abs(said).max(), "it begins out of silence, not in the middle of a sound"


def test_its_tones_go_up_and_down(said: Samples, engine: SpeechEngine) -> None:
    """A voice that speaks Mandarin on one note is not understood: the pitch must move by half an octave."""
    pitches = []
    step = audio.RATE // 50
    for at in range(0, len(said) - 3 * step, step):
        frame = said[at : at + 3 * step].astype(float)
        if np.sqrt(np.mean(frame**2)) < 0.03:
            continue
        echo = np.correlate(frame, frame, "full")[len(frame) :]
        low, high = audio.RATE // 400, audio.RATE // 80
        best = int(np.argmax(echo[low:high])) + low
        if echo[best] > 0.4 * np.dot(frame, frame):
            pitches.append(audio.RATE / (best + 1))
    assert len(pitches) > 20
    low, high = np.percentile(pitches, [10, 90])
    assert 12 * np.log2(high / low) > 6
