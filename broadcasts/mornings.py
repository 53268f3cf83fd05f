"""What is looked at once every morning, and who is written to because of it."""

from broadcasts.delivery.rules import Rules
from broadcasts.pumps import Pumps
from broadcasts.reports.alarming import FigureWatch
from broadcasts.reports.morning import MorningNote
from hub.core.roles import WorkLane
from hub.core.runtime import Runtime
from hub.speakers.settings import CareSettings


def add(runtime: Runtime, rules: Rules, pumps: Pumps) -> None:
    """Add the bounds of figures and the daily summary."""
    watch = FigureWatch(runtime.sessions, rules, runtime.clock, lambda: runtime.base_url)
    pumps.add("figures", watch.step, at=WorkLane.BULK, alone=True, patient=True)
    care = runtime.config.section(CareSettings)
    note = MorningNote(runtime.sessions, rules, care, runtime.clock, lambda: runtime.base_url)
    pumps.add("morning-note", note.step, at=WorkLane.BULK, alone=True, patient=True)
