"""Free ports that stay free: outside the range from which the kernel takes ports for clients.

A server that is killed and started again on its port must find it still free, so a port that the
kernel would give to any client in between will not do.
"""

import random
import socket

_FIRST, _LAST = 20_000, 32_000


def free_port() -> int:
    """A port of the loopback interface on which nothing listens."""
    chooser = random.SystemRandom()
    while True:
        port = chooser.randrange(_FIRST, _LAST)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
