"""The broker that installs by pip: amqtt in a process of its own, for a few hundred loudspeakers."""

import asyncio
import contextlib
import logging
import sys
from collections import deque
from typing import Any, Final

import click
from amqtt.adapters import ReaderAdapter, StreamReaderAdapter, StreamWriterAdapter, WriterAdapter
from amqtt.broker import Broker, Server
from amqtt.errors import AMQTTError, BrokerError, MQTTError, NoDataError
from amqtt.mqtt.protocol.broker_handler import BrokerProtocolHandler
from amqtt.session import Session

from hub.speakers.broker.child import Secure, raise_file_limit, secure_of, secure_options, stdin_closed
from hub.speakers.broker.doorkeepers import guard_of
from hub.speakers.envelope import MAX_MESSAGE

log = logging.getLogger(__name__)

MAX_PACKET: Final = MAX_MESSAGE + 1024
CONNECT_WITHIN_S: Final = 10
REFRESH_EVERY_S: Final = 0.5
REFUSED_CODE: Final = 0x80


class BoundedReader(StreamReaderAdapter):  # type: ignore[misc]  # amqtt has no types
    """Refuses packets larger than the protocol knows, before their bytes are read."""

    async def read(self, n: int = -1) -> bytes:
        """At most one packet's bytes."""
        if n > MAX_PACKET:
            raise ConnectionError(f"a packet of {n} bytes is refused")
        return bytes(await super().read(n))


class Handler(BrokerProtocolHandler):  # type: ignore[misc]  # amqtt has no types
    """Ends a connection that has been silent for longer than its keep-alive allows."""

    def handle_read_timeout(self) -> None:
        """Called by the reader's own task, which ends at its next step."""
        if self._reader_task is not None:
            self._reader_task.cancel()


class VillageBroker(Broker):  # type: ignore[misc]  # amqtt has no types
    """amqtt with what it lacks to be trusted by many.

    A client is known by its user name, so that none can take another's session; a password is checked
    before a session is touched; a newcomer is not sent what others have subscribed to; a message goes
    straight to its subscribers instead of past all filters; whoever loses the account loses the connection.
    """

    def __init__(self, config: dict[str, Any], folder: str) -> None:
        self._guard = guard_of(folder)
        self._wild: set[str] = set()
        super().__init__(config)

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        """A TCP connection was made."""
        with contextlib.suppress(ConnectionError):
            await self._client_connected(listener_name, BoundedReader(reader), StreamWriterAdapter(writer))

    async def watch_accounts(self) -> None:
        """Take over changed accounts and end the connections of those who are gone."""
        while True:
            await asyncio.sleep(REFRESH_EVERY_S)
            for name in self._guard.refresh():
                log.warning("%s has lost the account, its connection ends", name)
                await self._cleanup_session(name)

    async def add_subscription(self, subscription: tuple[str, int], session: Session) -> int:
        """As amqtt, and remember which filters have wildcards."""
        code = int(await super().add_subscription(subscription, session))
        if code != REFUSED_CODE and ("+" in subscription[0] or "#" in subscription[0]):
            self._wild.add(subscription[0])
        return code

    async def _initialize_client_session(
        self, reader: ReaderAdapter, writer: WriterAdapter, remote_address: str, remote_port: int
    ) -> tuple[BrokerProtocolHandler, Session]:
        try:
            connecting = Handler.init_from_connect(reader, writer, self.plugins_manager)
            handler, session = await asyncio.wait_for(connecting, CONNECT_WITHIN_S)
        except (AMQTTError, MQTTError, NoDataError, OSError, TimeoutError) as error:
            await writer.close()
            raise MQTTError(f"no CONNECT from {remote_address}: {error}") from error
        if not await self._authenticate(session, self.listeners_config["default"]):
            handler.attach(session, reader, writer)
            await handler.mqtt_connack_authorize(False)
            await writer.close()
            raise MQTTError(f"{session.username!r} was refused")
        session.client_id = session.username
        session.clean_session = True
        session.parent = 0
        session.keep_alive += session.keep_alive // 2
        if session.client_id in self._sessions:
            await self._cleanup_session(session.client_id)
        return handler, session

    async def _handle_client_session(  # amqtt fixes the six arguments
        self,
        reader: ReaderAdapter,
        writer: WriterAdapter,
        client_session: Session,
        handler: BrokerProtocolHandler,
        server: Server,
        listener_name: str,
    ) -> None:
        client_session.transitions.connect()
        handler.attach(client_session, reader, writer)
        self._sessions[client_session.client_id] = (client_session, handler)
        await handler.mqtt_connack_authorize(True)
        await handler.start()
        await self._client_message_loop(client_session, handler)

    async def _publish_retained_messages_for_subscription(
        self, subscription: tuple[str, int], session: Session
    ) -> None:
        name, qos = subscription
        handler = self._get_handler(session)
        if handler is None:
            return
        kept = self._retained_messages
        topics = [topic for topic in kept if self._matches(topic, name)] if name in self._wild else [name]
        sendings = [
            handler.mqtt_publish(topic, kept[topic].data, min(qos, kept[topic].qos or 0), retain=True)
            for topic in topics
            if topic in kept
        ]
        await asyncio.gather(*sendings, return_exceptions=True)

    async def _run_broadcast(self, running_tasks: deque[asyncio.Task[Any]]) -> None:
        message = await self._broadcast_queue.get()
        topic = message["topic"]
        filters = [topic, *(each for each in self._wild if self._matches(topic, each))]
        for name in filters:
            for session, subscribed in list(self._subscriptions.get(name, ())):
                handler = self._get_handler(session)
                if session.transitions.state != "connected" or handler is None:
                    continue
                if not self._guard.may_hear(session.username, topic):
                    continue
                qos = message.get("qos", subscribed)
                sending = handler.mqtt_publish(topic, message["data"], qos, retain=False)
                running_tasks.append(asyncio.ensure_future(sending))


def config_of(folder: str, host: str, port: int, secure: Secure | None = None) -> dict[str, Any]:
    """Amqtt's configuration."""
    listeners: dict[str, dict[str, Any]] = {"default": {"type": "tcp", "bind": f"{host}:{port}"}}
    if secure is not None:
        bind = f"{secure.host}:{secure.port}"
        files = {"certfile": str(secure.cert), "keyfile": str(secure.key)}
        listeners["tls"] = {"type": "tcp", "bind": bind, "ssl": True, **files}
    return {
        "listeners": listeners,
        "plugins": {
            "hub.speakers.broker.doorkeepers.Doorkeeper": {"folder": folder},
            "hub.speakers.broker.doorkeepers.Usher": {"folder": folder},
        },
    }


async def serve(folder: str, host: str, port: int, secure: Secure | None = None) -> None:
    """Until the parent process is gone."""
    broker = VillageBroker(config_of(folder, host, port, secure), folder)
    await broker.start()
    watching = asyncio.create_task(broker.watch_accounts())
    await asyncio.get_running_loop().run_in_executor(None, stdin_closed)
    watching.cancel()
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(broker.shutdown(), 5)


@click.command()
@click.argument("folder")
@click.argument("host")
@click.argument("port", type=int)
@secure_options
def main(folder: str, host: str, port: int, **secure: Any) -> None:
    """Run the embedded broker; started by the hub, not by people."""
    logging.basicConfig(level=logging.ERROR, stream=sys.stderr, format="%(levelname)s %(name)s %(message)s")
    logging.getLogger("amqtt").setLevel(logging.CRITICAL)
    log.setLevel(logging.WARNING)
    raise_file_limit()
    try:
        asyncio.run(serve(folder, host, port, secure_of(**secure)))
    except BrokerError as error:
        sys.exit(f"the embedded broker cannot start: {error}")


if __name__ == "__main__":
    main()
