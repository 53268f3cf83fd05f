"""A provider that answers every POST after a fixed time, in a process of its own, with as little work as possible.

Run: .venv/bin/python benchmarks/carrier.py SECONDS. It prints its port, and ends with its standard input.
"""

import asyncio
import sys
from typing import Final

ANSWER: Final = (
    b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 24\r\n\r\n{"ok": true, "id": "ab"}'
)


class Line(asyncio.Protocol):
    """One connection: requests one after the other."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s, self._buffer = delay_s, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._way = transport

    def data_received(self, data: bytes) -> None:
        """Answer later when a request is whole."""
        self._buffer += data
        head, found, body = self._buffer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
        if len(body) >= length:
            self._buffer = body[length:]
            asyncio.get_running_loop().call_later(self._delay_s, self._answer)

    def _answer(self) -> None:
        if isinstance(self._way, asyncio.Transport) and not self._way.is_closing():
            self._way.write(ANSWER)


async def main(delay_s: float) -> None:
    """Listen until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Line(delay_s), "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    asyncio.run(main(float(sys.argv[1])))
