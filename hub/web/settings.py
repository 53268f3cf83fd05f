"""The `[api]` section of the configuration."""

from pydantic import Field

from hub.core.config import Section


class ApiSettings(Section):
    """What programs may ask of the JSON interface."""

    table = "api"

    requests_per_minute: int = Field(600, ge=1, le=100_000, description="requests one key may make in a minute")
    sign_ins_per_minute: int = Field(
        10, ge=1, le=10_000, description="keys one address may ask for in a minute with name and password"
    )
    largest_body_kb: int = Field(256, ge=1, le=6144, description="largest request a program may send")
