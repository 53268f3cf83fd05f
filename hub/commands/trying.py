"""Would a hub start with this configuration? Tried without touching anything: files are looked at, no door opened."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from cryptography import x509

from hub.app import provide
from hub.audit.settings import AuditSettings
from hub.core.clock import utc_now
from hub.core.config import Config, ConfigError, HubSettings, Section
from hub.core.db import Sessions, make_engine
from hub.core.feature import Feature
from hub.core.lanes import WorkSettings
from hub.core.runtime import Runtime
from hub.core.secrets import SecretsError, load_or_create, look
from hub.speakers.settings import MqttSettings


def problems(config: Config, features: Sequence[Feature]) -> list[str]:
    """Return everything that a start would trip over, each a sentence that names the key."""
    return [*_folders(config), *_files(config.section(MqttSettings)), *_partners(config), *_rooms(config, features)]


def _folders(config: Config) -> Iterator[str]:
    anchors = config.section(AuditSettings).anchor_file
    wanted = [("[hub] data_dir", config.data_dir), *([("[audit] anchor_file", anchors.parent)] if anchors else [])]
    for key, folder in wanted:
        there = next(each for each in (folder, *folder.parents) if each.exists())
        if not there.is_dir():
            yield f"{key}: {there} is a file, not a folder."
        elif not os.access(there, os.W_OK | os.X_OK):
            yield f"{key}: this user may not write in {there}. Make the folder and give it to the hub's user."
    try:
        look(config.data_dir, config.section(HubSettings).mode)
    except SecretsError as error:
        yield f"[hub] data_dir: {error}"


def _files(mqtt: MqttSettings) -> Iterator[str]:
    """Certificates that are named must be there and be certificates."""
    for key in ("tls_cert", "tls_key", "ca_file"):
        path: Path | None = getattr(mqtt, key)
        if path is None:
            continue
        try:
            content = path.read_bytes()
            if key != "tls_key":
                x509.load_pem_x509_certificate(content)
        except OSError as error:
            yield f"[mqtt] {key}: {path} cannot be read ({error.strerror}). 'cunxiang tls make' makes all three."
        except ValueError:
            yield f"[mqtt] {key}: {path} is no certificate in PEM."


def _partners(config: Config) -> Iterator[str]:
    mqtt, work = config.section(MqttSettings), config.section(WorkSettings)
    if not mqtt.own and not mqtt.password.get_secret_value():
        yield "[mqtt] password: an external broker wants one from the hub. Better: CUNXIANG_MQTT_PASSWORD."
    if work.engine == "celery" and not work.broker_url.get_secret_value():
        yield "[work] broker_url: celery needs the address of RabbitMQ. Better: CUNXIANG_WORK_BROKER_URL."


def _rooms(config: Config, features: Sequence[Feature]) -> Iterable[str]:
    """Open every room over an empty folder: gateways without keys, engines nobody has heard of."""
    with TemporaryDirectory(prefix="cunxiang-try-") as folder:
        elsewhere = {HubSettings: config.section(HubSettings).model_copy(update={"data_dir": Path(folder)})}
        sections: dict[type[Section], Section] = {type(each): elsewhere.get(type(each), each) for each in config}
        engine = make_engine(f"sqlite:///{folder}/try.db")
        secrets = load_or_create(Path(folder), config.section(HubSettings).mode)
        runtime = Runtime(
            config=Config(sections, config.source), secrets=secrets, sessions=Sessions(engine), clock=utc_now
        )
        try:
            provide(runtime, features)
        except ConfigError as error:
            return error.problems
        except Exception as error:  # noqa: BLE001 - rooms have failures of their own, each says what to do
            return [str(error)]
        finally:
            engine.dispose()
    return []
