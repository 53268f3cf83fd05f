"""The `[warnings]` section of the configuration."""

from pydantic import Field

from hub.core.config import Section


class WarningSettings(Section):
    """Official warnings: what may come in."""

    table = "warnings"

    largest_document_kb: int = Field(2000, ge=50, le=20_000, description="largest CAP document that is looked at")
