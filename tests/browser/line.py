"""A long or thin line to a server: a TCP proxy that delays and rations what passes, as bytes.

Each direction is one line for all connections, first in, first out: a chunk begins when the one
before has left, takes its size by the rate, and arrives half a round trip later. Nothing is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

CHUNK = 8192  # bytes that are passed on together


class Line:
    """What the line is like; may be changed while it is in use.

    Args:
        port: of the server on this machine that is at its other end.
    """

    def __init__(self, port: int):
        self.port = 0  # of our end, once it listens
        self.bytes = 0  # carried so far, both ways
        self._server = port
        self.loop: asyncio.AbstractEventLoop  # that carries, until the `end`
        self.end: asyncio.Event
        self._round_trip, self._rate = 0.0, float("inf")
        self._free = {"up": 0.0, "down": 0.0}  # when each direction has sent what it has taken

    def become(self, *, round_trip: float = 0.0, mbit: float = float("inf")) -> None:
        """A line of so many seconds there and back, and so many megabits per second each way."""
        self._round_trip, self._rate = round_trip, mbit * 1e6 / 8

    async def carry(
        self, way: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Pass on what `reader` says until it ends."""
        clock = asyncio.get_running_loop().time
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()

        async def deliver() -> None:
            with contextlib.suppress(OSError):
                while (item := await under_way.get())[1]:
                    if (left := item[0] - clock()) > 0:
                        await asyncio.sleep(left)
                    writer.write(item[1])
                    await writer.drain()
            writer.close()

        delivery = asyncio.ensure_future(deliver())
        chunk = b"-"
        while chunk:
            try:
                chunk = await reader.read(CHUNK)
            except OSError:
                chunk = b""
            self.bytes += len(chunk)
            self._free[way] = max(self._free[way], clock()) + len(chunk) / self._rate
            under_way.put_nowait((self._free[way] + self._round_trip / 2, chunk))
        await delivery

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection, there and back."""
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._server)
        except OSError:
            writer.close()
            return
        for one in (writer, back):
            one.transport.set_write_buffer_limits(high=0)
        with contextlib.suppress(asyncio.CancelledError):  # the line is taken down
            await asyncio.gather(self.carry("up", reader, back), self.carry("down", there, writer))


@contextlib.contextmanager
def slow_line(url: str) -> Iterator[tuple[Line, str]]:
    """A `Line` to the server of `url`, quick at first, and the address of the same page by it."""
    address = urlsplit(url)
    line, ready = Line(address.port), threading.Event()

    async def serve() -> None:
        server = await asyncio.start_server(line.connect, "127.0.0.1", 0)
        line.port = server.sockets[0].getsockname()[1]
        line.end = asyncio.Event()
        line.loop = asyncio.get_running_loop()
        ready.set()
        await line.end.wait()
        server.close()  # asyncio.run then ends the connections

    thread = threading.Thread(target=lambda: asyncio.run(serve()), name="slow-line", daemon=True)
    thread.start()
    ready.wait(10)
    try:
        yield line, urlunsplit(address._replace(netloc=f"127.0.0.1:{line.port}"))
    finally:
        line.loop.call_soon_threadsafe(line.end.set)
        thread.join()
