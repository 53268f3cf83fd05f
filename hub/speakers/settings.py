"""How loudspeakers are reached."""

from typing import Literal

from pydantic import Field, SecretStr

from hub.core.config import OptionalPath, Section


class MqttSettings(Section):
    """The broker between hub and loudspeakers."""

    table = "mqtt"

    engine: Literal["auto", "embedded", "mosquitto", "external"] = Field(
        "auto",
        description="auto = mosquitto if it is installed, else the embedded broker; external = host and port below",
    )
    host: str = Field("127.0.0.1", description="where the broker listens, or where an external one is reached")
    port: int = Field(1883, ge=0, le=65535, description="its port; 0 takes a free one (own broker only)")
    username: str = Field("hub", description="the hub's name at an external broker")
    password: SecretStr = Field(
        SecretStr(""), description="its password there; the own broker makes one. Better: CUNXIANG_MQTT_PASSWORD"
    )
    tls: bool = Field(False, description="speak TLS to an external broker")
    ca_file: OptionalPath = Field(None, description="the authority that signed the broker's certificate")
    heartbeat_seconds: int = Field(60, ge=5, le=3600, description="how often loudspeakers report")
