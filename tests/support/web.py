"""Pages asked for through the ASGI interface, of a district whose name needs escaping."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.routing import Route

from mailguard.core.people.district import District

ORIGIN = "https://links.example.org"
DISTRICT = District(
    name="Example <Valley> District",
    short_name="EVD",
    domains=("example.org",),
    spammail="spammail@example.org",
    postmaster="postmaster@example.org",
    authserv_id="mailguard.example.org",
    copy_page_url=ORIGIN,
)


@dataclass
class Page:
    """What a browser gets."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""


async def fetch(
    routes: Sequence[Route],
    path: str,
    method: str = "GET",
    body: bytes | None = b"",
    **headers: str,
) -> Page:
    """One request. Without a body the client holds the line and sends nothing more."""
    page = Page()

    async def receive() -> dict[str, Any]:
        if body is None:
            await asyncio.sleep(60)
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(event: Any) -> None:
        if event["type"] == "http.response.start":
            page.status = event["status"]
            page.headers = {k.decode(): v.decode() for k, v in event["headers"]}
        else:
            page.text += event.get("body", b"").decode()

    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        "http_version": "1.1",
        "scheme": "https",
        "server": ("links.example.org", 443),
        "root_path": "",
    }
    await Starlette(routes=routes)(scope, receive, send)
    return page
