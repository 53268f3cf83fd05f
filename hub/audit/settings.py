"""The `[audit]` section of the configuration."""

from pathlib import Path

from pydantic import Field

from hub.core.config import OptionalPath, Section


class AuditSettings(Section):
    """Where the log leaves its daily mark."""

    table = "audit"

    anchor_file: OptionalPath = Field(
        None,
        description="file that gets one line a day saying how far the log had come; empty = audit-anchors.txt in "
        "data_dir. Better: a folder that this machine's administrator cannot change",
    )

    def file_in(self, data_dir: Path) -> Path:
        """Return the file, the default filled in."""
        return self.anchor_file or data_dir / "audit-anchors.txt"
