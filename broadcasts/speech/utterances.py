"""A script cut into pieces that an engine can speak in one go."""

from collections.abc import Callable

from broadcasts.speech.engine import Script, Segment

Size = Callable[[Segment], int]


def by_source(segment: Segment) -> int:
    """As long as what was written."""
    return len(segment.source)


def pieces(script: Script, longest: int, size: Size = by_source) -> list[list[Segment]]:
    """Sentences; a sentence that is too long comes as its clauses, a clause as runs of syllables.

    `longest` holds by `size`, which must not call a segment shorter than its source.
    """
    cut: list[list[Segment]] = []
    for sentence in _cut_after(list(script), ".!?"):
        if sum(map(size, sentence)) <= longest:
            cut.append(sentence)
            continue
        for clause in _cut_after([part for s in sentence for part in _chopped(s, longest // 2, size)], ","):
            cut.extend(_packed(clause, longest, size))
    return cut


def gathered(cut: list[list[Segment]], shortest: int, longest: int, size: Size = by_source) -> list[list[Segment]]:
    """Pieces shorter than `shortest` joined to the piece before them, where that leaves room."""
    joined: list[list[Segment]] = []
    for piece in cut:
        length = sum(map(size, piece))
        before = sum(map(size, joined[-1])) if joined else longest
        if joined and min(length, before) < shortest and before + length <= longest:
            joined[-1] = [*joined[-1], *piece]
        else:
            joined.append(piece)
    return [piece for piece in joined if any(segment.kind != "pause" for segment in piece)]


def _cut_after(segments: list[Segment], ends: str) -> list[list[Segment]]:
    runs: list[list[Segment]] = [[]]
    for segment in segments:
        runs[-1].append(segment)
        if segment.kind == "pause" and segment.text in ends:
            runs.append([])
    return [run for run in runs if run]


def _chopped(segment: Segment, longest: int, size: Size) -> list[Segment]:
    """A segment that is too long as several: runs of syllables, or of letters."""
    whole = size(segment)
    if whole <= longest:
        return [segment]
    units = segment.text.split() if segment.kind == "pinyin" else list(segment.text)
    step = max(1, len(units) * longest // whole)
    glue = " " if segment.kind == "pinyin" else ""
    return [
        Segment(segment.kind, glue.join(units[i : i + step]), segment.source[i : i + step])
        for i in range(0, len(units), step)
    ]


def _packed(clause: list[Segment], longest: int, size: Size) -> list[list[Segment]]:
    packed: list[list[Segment]] = [[]]
    held = 0
    for segment in clause:
        if packed[-1] and held + size(segment) > longest:
            packed.append([])
            held = 0
        packed[-1].append(segment)
        held += size(segment)
    return packed
