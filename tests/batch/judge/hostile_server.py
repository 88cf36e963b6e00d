"""A judge's server that answers each case as a script says, down to the bytes and the pauses.

A case is found in the question by its text ``case 17.``, so the order of calls does not matter. It
runs on an event loop in a thread of this process.
"""

import asyncio
import re
import socket
import struct
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final, Self

_CASE: Final = re.compile(rb"case (\d+)\.")
_READ_SECONDS: Final = 20.0


@dataclass(frozen=True)
class HostileRequest:
    """A request as the server sees it; ``call`` counts those of its case, from 1."""

    path: str
    headers: Mapping[str, str]
    body: bytes
    call: int


@dataclass(frozen=True)
class Pause:
    """Wait before the next bytes."""

    seconds: float


@dataclass(frozen=True)
class Reset:
    """Break the connection off with RST."""


Step = bytes | Pause | Reset
Script = Callable[[HostileRequest], Iterable[Step]]
"""What is sent for a request. The connection closes after the last step, but for a whole reply."""


@dataclass
class HostileServer:
    """Plays a script for each case; a context that listens on a free port of this machine."""

    scripts: Mapping[int, Script]
    address: str = ""
    calls: Counter[int] = field(default_factory=Counter)
    seen: list[HostileRequest] = field(default_factory=list)
    keep_seen: bool = False
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._serve, args=(ready,), daemon=True)
        self._thread.start()
        assert ready.wait(10)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)

    def _serve(self, ready: threading.Event) -> None:
        asyncio.set_event_loop(self._loop)
        self._stop = asyncio.Event()
        self._loop.run_until_complete(self._listen(ready))
        self._loop.close()

    async def _listen(self, ready: threading.Event) -> None:
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, backlog=256, limit=2**20)
        self.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        ready.set()
        await self._stop.wait()
        server.close()
        talking = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in talking:
            task.cancel()
        await asyncio.gather(*talking, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A client that gives up in the middle is what these tests are about.
        with suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError, TimeoutError):
            while await self._answer(reader, writer):
                pass
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return whether the connection stays."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        found = _CASE.search(body)
        case = int(found[1]) if found else -1
        self.calls[case] += 1
        request = HostileRequest(first.split(" ")[1], headers, body, self.calls[case])
        if self.keep_seen:
            self.seen.append(request)
        return await self._play(self.scripts[case](request), writer)

    async def _play(self, steps: Iterable[Step], writer: asyncio.StreamWriter) -> bool:
        stays = False
        for step in steps:
            stays = isinstance(step, WholeReply)
            if isinstance(step, bytes):
                writer.write(step)
                await asyncio.wait_for(writer.drain(), _READ_SECONDS)
            elif isinstance(step, Pause):
                await asyncio.sleep(step.seconds)
            else:
                connection: socket.socket = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                writer.transport.abort()
        return stays


class WholeReply(bytes):
    """A reply with its length, after which the connection stays open."""


def reply(body: bytes, status: int = 200, **headers: str) -> WholeReply:
    """Return a whole reply; a header's name is written with ``_`` for ``-``."""
    lines = [f"HTTP/1.1 {status} Said", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    lines.append(f"Content-Length: {len(body)}")
    return WholeReply("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
