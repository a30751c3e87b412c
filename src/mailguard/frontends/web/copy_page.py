"""The page behind a rewritten link: it shows the exact address to copy and never goes there (R39).

Owns its HTML, headers and routes. It holds no link to the address, needs no script, keeps nothing
and answers everybody alike. Must not know more of a message than the link tells.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from html import escape
from importlib.resources import files
from zoneinfo import ZoneInfo

from publicsuffixlist import PublicSuffixList
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mailguard.core.links import sealed
from mailguard.core.links.url_host import UrlHost, site_of
from mailguard.core.people.district import District
from mailguard.pipeline.snapshot import Snapshot

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}
_STATIC = {"copy-page.css": "text/css", "copy-page.js": "text/javascript"}
_LONG = 300  # characters from which the address may need scrolling, and so the keyboard's focus
_LONGEST_NAME = 120  # of a user's name shown in a warning
_UNSEEN = frozenset(("Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"))  # Unicode's categories
# Letters and marks by category that are drawn as nothing: fillers, joiners, variation selectors.
_BLANK = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, (*range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0))))
)

# The static files are below the pages and named relative to them: a reverse proxy publishes one
# path, wherever it likes.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – {district}</title>
<link rel="stylesheet" href="static/copy-page.css">
<script src="static/copy-page.js" defer></script>
</head>
<body>
<header><p>{district}</p></header>
<main>
{body}
</main>
</body>
</html>
"""

_ADDRESS = """<h1>Copy this address to open it</h1>
<p>You followed a link in an e-mail. {district} asks that links are copied, not clicked, so that
everybody sees where a link leads before going there. Nothing has been opened yet.</p>
{sent}<div class="card">
<h2 class="label">The link leads to</h2>
<p class="host"><bdi>{host}</bdi></p>
{warnings}<h2 class="label">The address in full</h2>
<pre dir="ltr"{focus}><code>{marked}</code></pre>
</div>
<label for="address">The address to copy</label>
<div class="copy">
<input id="address" type="text" dir="ltr" value="{target}" readonly spellcheck="false" \
autocomplete="off">
<button id="copy" type="button" hidden>Copy the address</button>
</div>
<p id="state" role="status"></p>
<h2>Before you paste it</h2>
<ol>
<li>{check}</li>
<li>Did you expect this message, from this sender? A school, a bank or a shop does not ask for your
password by e-mail.</li>
<li>If all is well, paste the address into the address bar of your browser. If not, close this
page.</li>
</ol>
<footer>
<p><strong>Not sure?</strong> Ask {department} before you open it: {postmaster}</p>
<p>This page never visits the address by itself.</p>
</footer>
"""

_SENT = """<p>It stood in a message that came on <strong>{when}</strong> and says that it is from
<strong><bdi>{sender}</bdi></strong>.</p>
"""

_UNKNOWN = """<h1>This link is not valid</h1>
<p>It was not made by {district}, or it was changed or cut off on the way. No address can be
shown, and nothing has been opened.</p>
<p>Go back to the message and copy the link again as a whole.</p>
<footer>
<p><strong>Not sure?</strong> Ask {department}: {postmaster}</p>
</footer>
"""


def render_page(target: str, district: District, sent: sealed.LinkOrigin | None = None) -> str:
    """The page for one address, and whom the message says it is from where the link tells it.
    Everything that comes from a message is escaped."""
    site = site_of(target)
    before, registered = _registered(site)
    host = f"{_visible(before)}<strong>{_visible(registered)}</strong>"
    check = "Is it the site that you expect?"
    if registered:
        check = f"Is <strong>{_visible(registered)}</strong> the site that you expect?"
    if before:
        check += " What stands before that name can be anything."
    return _PAGE.format(
        title="Copy this address",
        district=escape(district.name),
        body=_ADDRESS.format(
            district=escape(district.name),
            host=host,
            sent="" if sent is None else _told(sent, district),
            warnings="".join(f'<p class="warning">{w}</p>\n' for w in _warnings(target, site)),
            focus=' tabindex="0"' if len(target) > _LONG else "",
            marked=(
                f"{_visible(target[: site.start])}<strong>{_visible(site.written)}</strong>"
                f"{_visible(target[site.end :])}"
            ),
            target=escape(target),
            check=check,
            department=escape(district.department),
            postmaster=escape(district.postmaster),
        ),
    )


def render_unknown(district: District) -> str:
    """The page for a token that is not ours."""
    body = _UNKNOWN.format(
        district=escape(district.name),
        department=escape(district.department),
        postmaster=escape(district.postmaster),
    )
    return _PAGE.format(title="This link is not valid", district=escape(district.name), body=body)


def copy_page_routes(get_snapshot: Callable[[], Snapshot]) -> list[Route]:
    """GET and HEAD of `/l/{token}` and of the two static files; other methods get 405."""
    package = files("mailguard.frontends.web") / "static"
    static = {name: (package / name).read_bytes() for name in _STATIC}

    async def page(request: Request) -> Response:
        snapshot = get_snapshot()
        try:
            target, sent = sealed.opened(request.path_params["token"], snapshot.link_keys)
        except sealed.LinkError:
            return HTMLResponse(render_unknown(snapshot.district), 404, HEADERS)
        return HTMLResponse(render_page(target, snapshot.district, sent), 200, HEADERS)

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in static:
            return Response(status_code=404, headers=HEADERS)
        headers = {**HEADERS, "Cache-Control": "public, max-age=3600"}
        return Response(static[name], 200, headers, _STATIC[name])

    return [
        Route("/l/static/{name}", file, methods=["GET"]),
        Route("/l/{token}", page, methods=["GET"]),
    ]


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _told(sent: sealed.LinkOrigin, district: District) -> str:
    """Whose message it was, in the district's time; the sender's address isolated and escaped."""
    at = datetime.fromtimestamp(sent.minute * 60, UTC).astimezone(ZoneInfo(district.time_zone))
    when = f"{at:%A}, {at.day} {at:%B %Y}, {at:%H:%M} ({district.time_zone})"
    return _SENT.format(when=escape(when), sender=_visible(sent.sender))


def _registered(site: UrlHost) -> tuple[str, str]:
    """The site's name cut before the part that somebody has registered, which is what counts."""
    name = site.opened or site.written
    if site.is_number or not site.opened:
        return "", name
    registered = _suffixes().privatesuffix(name) or name
    return name[: len(name) - len(registered)], registered


def _warnings(target: str, site: UrlHost) -> list[str]:
    """What is odd about an address, in plain words and escaped."""
    found = []
    if not site.opened:
        found.append("Browsers do not open this address: its name is written wrongly.")
    elif site.is_number:
        found.append("The site has a number instead of a name. Sites for the public have names.")
    elif site.written.lower().rstrip(".") not in (site.opened, site.shown):
        found.append(
            f"The message writes this name as <bdi>{_visible(site.written)}</bdi>, so that it "
            "reads like another one. The name above is where a browser goes."
        )
    if site.opened != site.shown:
        found.append(
            "The name has letters outside the English alphabet, which can look like others. "
            f"Browsers may show it as <bdi>{_visible(site.shown)}</bdi>; computers write it as "
            f"<strong>{escape(site.opened)}</strong>."
        )
    if site.user:
        user = site.user if len(site.user) <= _LONGEST_NAME else site.user[:_LONGEST_NAME] + "…"
        found.append(
            f"What stands before the “@” is not the site: <bdi>{_visible(user)}</bdi> "
            "says nothing about where the link leads."
        )
    if any(_is_unseen(c) for c in target):
        found.append(
            "The address has characters that cannot be seen or that turn the text round. They are "
            "marked below, and copied as they are."
        )
    return found


def _is_unseen(c: str) -> bool:
    return not c.isascii() and (unicodedata.category(c) in _UNSEEN or c in _BLANK)


_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def _visible(text: str) -> str:
    """Escaped text in which nothing hides: a character that cannot be seen, or that would turn the
    rest round, is isolated and gets its name from the style sheet. What is copied is the text."""
    return _NOT_ASCII.sub(_named, escape(text))


def _named(found: re.Match[str]) -> str:
    c = found[0]
    if not _is_unseen(c):
        return c
    return f'<bdi class="unseen" data-name="U+{ord(c):04X}">{c}</bdi>'
