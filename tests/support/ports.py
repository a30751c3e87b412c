"""Loopback ports that are this process's own until it ends.

A port that was only looked for may be another's before it is used: a test's beside this one, or a
client's, since the system gives both from the same range. So each stays bound here, without
listening. The system then gives it to nobody who asks for any port. Whoever names it may listen
there with SO_REUSEADDR, as every server does, end, and listen again; meanwhile it is refused.
"""

from __future__ import annotations

import socket

_kept: list[socket.socket] = []


def free_port() -> int:
    """A loopback port for a server that is named its port; nothing listens there yet."""
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("127.0.0.1", 0))
    _kept.append(kept)
    return int(kept.getsockname()[1])
