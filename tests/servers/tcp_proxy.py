"""A way to a broker on which the test can let connections break off."""

import socket
from contextlib import suppress
from threading import Thread
from typing import Self


class TcpProxy:
    """Forwards connections to ``port`` of this machine from a port of its own.

    ``requests`` is how many requests of a connection are answered before it is closed; None: all.
    A client that waits for each answer before it asks again is what it is made for.
    """

    def __init__(self) -> None:
        self.requests: int | None = None
        self.target: int | None = None
        self.broken = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []

    def __enter__(self) -> Self:
        Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Close all connections that are open."""
        connections, self._connections = self._connections, []
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.target or 0))
        except OSError:
            client.close()
            return
        self._connections += [client, server]
        Thread(target=self._pump, args=(server, client, None), daemon=True).start()
        self._pump(client, server, self.requests)

    def _pump(self, source: socket.socket, sink: socket.socket, most: int | None) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(65536):
                if most is not None and passed >= most:
                    self.broken += 1
                    break
                passed += 1
                sink.sendall(data)
        for end in (source, sink):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
