"""The page behind a rewritten link: it shows the exact address to copy and never goes there (R39).

Owns what is odd about an address, and the routes; its HTML is `templates/copy.html`. It holds no
link to the address, needs no script, keeps nothing and answers everybody alike. Must not know more
of a message than the link tells.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from zoneinfo import ZoneInfo

from publicsuffixlist import PublicSuffixList
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mailguard.core.links import sealed
from mailguard.core.links.url_host import UrlHost, site_of
from mailguard.core.mail import safe_text
from mailguard.core.people.district import District
from mailguard.frontends.web import pages
from mailguard.pipeline.snapshot import Snapshot

HEADERS = pages.headers(script=True)
_STATIC = ("copy-page.css", "copy-page.js")
_LONG = 300  # characters from which the address may need scrolling, and so the keyboard's focus
_LONGEST_NAME = 120  # of a user's name shown in a warning


def render_page(target: str, district: District, sent: sealed.LinkOrigin | None = None) -> str:
    """The page for one address, and whom the message says it is from where the link tells it.
    Everything that comes from a message is escaped."""
    site = site_of(target)
    before, registered = _registered(site)
    user = site.user if len(site.user) <= _LONGEST_NAME else f"{site.user[:_LONGEST_NAME]}…"
    return pages.rendered(
        "copy.html",
        district=district,
        sender="" if sent is None else sent.sender,
        when="" if sent is None else _when(sent, district),
        site=site,
        before=before,
        registered=registered,
        user=user,
        oddities=_oddities(target, site),
        address=(target[: site.start], site.written, target[site.end :]),
        long=len(target) > _LONG,
        target=target,
    )


def render_unknown(district: District) -> str:
    """The page for a token that is not ours."""
    return pages.rendered("copy-unknown.html", district=district)


def copy_page_routes(get_snapshot: Callable[[], Snapshot]) -> list[Route]:
    """GET and HEAD of `/l/{token}` and of the two static files; other methods get 405."""

    async def page(request: Request) -> Response:
        snapshot = get_snapshot()
        try:
            target, sent = sealed.opened(request.path_params["token"], snapshot.link_keys)
        except sealed.LinkError:
            return HTMLResponse(render_unknown(snapshot.district), 404, HEADERS)
        return HTMLResponse(render_page(target, snapshot.district, sent), 200, HEADERS)

    return [
        pages.static_files("/l", _STATIC, HEADERS),
        Route("/l/{token}", page, methods=["GET"]),
    ]


@cache
def _suffixes() -> PublicSuffixList:
    return PublicSuffixList()


def _when(sent: sealed.LinkOrigin, district: District) -> str:
    """When the message came, in the district's time."""
    at = datetime.fromtimestamp(sent.minute * 60, UTC).astimezone(ZoneInfo(district.time_zone))
    return f"{at:%A}, {at.day} {at:%B %Y}, {at:%H:%M} ({district.time_zone})"


def _registered(site: UrlHost) -> tuple[str, str]:
    """The site's name cut before the part that somebody has registered, which is what counts."""
    name = site.opened or site.written
    if site.is_number or not site.opened:
        return "", name
    registered = _suffixes().privatesuffix(name) or name
    return name[: len(name) - len(registered)], registered


def _oddities(target: str, site: UrlHost) -> tuple[str, ...]:
    """What is odd about an address, as the template names it."""
    found = []
    if not site.opened:
        found.append("unopened")
    elif site.is_number:
        found.append("number")
    elif site.written.lower().rstrip(".") not in (site.opened, site.shown):
        found.append("rewritten")
    if site.opened != site.shown:
        found.append("foreign")
    if site.user:
        found.append("user")
    if any(map(safe_text.hides, target)):
        found.append("unseen")
    return tuple(found)
