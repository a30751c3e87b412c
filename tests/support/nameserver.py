"""One embedded DNS server for all tests of a run, on a loopback port, in a thread of its own."""

from __future__ import annotations

import asyncio
import threading
from functools import cache

from tests.support.waiting import PATIENCE

from mailguard.demo.dns_server import DnsServer

ZONE = """\
$TTL 300
example.org.          IN MX   10 mailguard.example.org.
example.org.          IN TXT  "v=spf1 mx -all"
_dmarc.example.org.   IN TXT  "v=DMARC1; p=reject"
mailguard.example.org. IN A   192.0.2.26
example.com.          IN MX   10 mail.example.com.
example.com.          IN TXT  "v=spf1 ip4:192.0.2.25 ip4:127.0.0.1 -all"
_dmarc.example.com.   IN TXT  "v=DMARC1; p=none"
mail.example.com.     IN A    192.0.2.25
example.net.          IN A    203.0.113.25
"""


@cache
def nameserver() -> str:
    """host:port of the server; it ends with the process."""
    ready: list[tuple[str, int]] = []
    up = threading.Event()

    async def serve() -> None:
        ready.append(await DnsServer(ZONE, "127.0.0.1", 0).start())
        up.set()
        await asyncio.Event().wait()

    threading.Thread(target=lambda: asyncio.run(serve()), daemon=True, name="nameserver").start()
    assert up.wait(PATIENCE), "the name server did not start"
    host, port = ready[0]
    return f"{host}:{port}"
