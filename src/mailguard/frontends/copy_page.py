"""The page behind a rewritten link: it shows the exact address to copy and never goes there (R39).

Owns its HTML, headers and routes. It holds no link to the address, needs no script, keeps nothing
and answers everybody alike. Must not know which message a link came from.
"""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mailguard.core import links
from mailguard.pipeline.snapshot import Snapshot

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}
_STATIC = {"copy-page.css": "text/css", "copy-page.js": "text/javascript"}

# The static files are named relative to the page, so that a proxy may serve both below a path.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<link rel="stylesheet" href="../l-static/copy-page.css">
<script src="../l-static/copy-page.js" defer></script>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""

_ADDRESS = """<h1>Copy this address</h1>
<p>{district} asks that links in e-mail are not clicked but copied. The link leads to this site:</p>
<p class="host"><strong>{host}</strong></p>
{other}<label for="address">The whole address</label>
<input id="address" type="text" value="{target}" readonly spellcheck="false" autocomplete="off">
<button id="copy" type="button" hidden>Copy the address</button>
<p id="state" role="status" aria-live="polite"></p>
<p>Is this the site that you expect? If so, copy the address and paste it into the address bar of
your browser. If not, close this page.</p>
<p>The address in full, for reading:</p>
<pre><code>{marked}</code></pre>
"""

_UNKNOWN = """<h1>This link is not valid</h1>
<p>The link was not made by {district}, or it was changed or cut off on the way. No address can be
shown. Go back to the message and copy the link again as a whole, or ask whoever sent it.</p>
"""


def render_page(target: str, district_name: str) -> str:
    """The page for one address. Everything that comes from a message is escaped."""
    name = links.host(target)
    ascii_name, unicode_name = links.readings_of_host(name)
    other = ""
    if ascii_name != unicode_name:
        other = (
            '<p class="warning">The name has letters outside the English alphabet, which can look '
            f"like others. In full it is <bdi>{escape(unicode_name)}</bdi>, which computers write "
            f"as <strong>{escape(ascii_name)}</strong>.</p>\n"
        )
    before, found, after = _around_host(target, name)
    marked = f"{escape(before)}<strong>{escape(found)}</strong>{escape(after)}"
    return _PAGE.format(
        title="Copy this address",
        body=_ADDRESS.format(
            district=escape(district_name),
            host=escape(ascii_name),
            other=other,
            target=escape(target),
            marked=marked,
        ),
    )


def render_unknown(district_name: str) -> str:
    """The page for a token that is not ours."""
    body = _UNKNOWN.format(district=escape(district_name))
    return _PAGE.format(title="This link is not valid", body=body)


def copy_page_routes(get_snapshot: Callable[[], Snapshot]) -> list[Route]:
    """GET and HEAD of `/l/{token}` and of the two static files; other methods get 405."""
    package = files("mailguard.frontends") / "static"
    static = {name: (package / name).read_bytes() for name in _STATIC}

    async def page(request: Request) -> Response:
        snapshot = get_snapshot()
        try:
            target = links.open_(request.path_params["token"], snapshot.link_keys)
        except links.LinkError:
            return HTMLResponse(render_unknown(snapshot.district.name), 404, HEADERS)
        return HTMLResponse(render_page(target, snapshot.district.name), 200, HEADERS)

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in static:
            return Response(status_code=404, headers=HEADERS)
        headers = {**HEADERS, "Cache-Control": "public, max-age=3600"}
        return Response(static[name], 200, headers, _STATIC[name])

    return [
        Route("/l/{token}", page, methods=["GET"]),
        Route("/l-static/{name}", file, methods=["GET"]),
    ]


def _around_host(target: str, name: str) -> tuple[str, str, str]:
    """The address cut before and after its host."""
    begin = target.find("://") + 3
    end = min((at for at in (target.find(c, begin) for c in "/\\?#") if at >= 0), default=-1)
    authority = target[begin:end] if end >= 0 else target[begin:]
    at = authority.rfind("@") + 1
    start = target.lower().find(name, begin + at) if name else -1
    if start < 0:
        return target, "", ""
    return target[:start], target[start : start + len(name)], target[start + len(name) :]
