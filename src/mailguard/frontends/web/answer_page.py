"""The page behind a question that was asked by mail: it shows what is asked, and a POST answers.

Owns its HTML, headers and routes. GET and HEAD change nothing, so that whoever looks at links ahead
of their reader answers nothing. Needs no script. Must not know what a question is about: the desk
says, and does what an answer leads to.
"""

from __future__ import annotations

import asyncio
import re
import unicodedata
from collections.abc import Callable
from html import escape
from importlib.resources import files
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from mailguard.casework.tickets import Question
from mailguard.core.people.district import District
from mailguard.pipeline.ports import StoreError
from mailguard.pipeline.snapshot import Snapshot

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'self'; "
        "frame-ancestors 'none'"
    ),
    # The address is the answer's key: it goes to nobody else; but to ourselves, or the Origin of
    # our own form would be "null".
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "X-Robots-Tag": "noindex, nofollow",
}
_STYLES = ("copy-page.css", "answers.css")
_BODY = 16_384  # octets of a POST
_PATIENCE = 10.0  # seconds for a POST to come in
_REMARK = 1_000  # characters
_UNSEEN = frozenset(("Cc", "Cf", "Co", "Cs", "Zl", "Zp"))  # Unicode's categories
_NOT_PLAIN = re.compile(r"[^\n\x20-\x7e]")

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} – {district}</title>
<link rel="stylesheet" href="static/copy-page.css">
<link rel="stylesheet" href="static/answers.css">
</head>
<body>
<header><p>{district}</p></header>
<main>
<h1>{title}</h1>
{body}
<footer>
<p><strong>Questions?</strong> Write to {department}: {postmaster}</p>
</footer>
</main>
</body>
</html>
"""

_ABOUT = """<div class="card">
<dl>
{particulars}
</dl>
{excerpt}</div>
"""

_FORM = """{paragraphs}
<form method="post">
<label for="remark">A remark, if you like; others concerned may read it</label>
<textarea id="remark" name="remark" rows="2" maxlength="{longest}" dir="auto"></textarea>
<p>You answer as <strong>{person}</strong>. Nothing happens before you press a button.</p>
<p class="choices">
{choices}
</p>
</form>
<p class="label">You can also answer by replying to the mail.</p>
"""

_ENDED = "No answer is needed any more"


class Asking(Protocol):
    """Who asked; see `casework.inbox.Desk`."""

    async def question(self, token: str) -> Question | None: ...

    async def answer(self, token: str, choice: str, remark: str = "") -> str | None: ...


def answer_routes(desk: Asking, get_snapshot: Callable[[], Snapshot]) -> list[Route]:
    """GET, HEAD and POST of `/answer/{token}`, and the style sheets."""
    package = files("mailguard.frontends.web") / "static"
    static = {name: (package / name).read_bytes() for name in _STYLES}

    async def page(request: Request) -> Response:
        token, district = request.path_params["token"], get_snapshot().district
        try:
            question = await desk.question(token)
            if question is None:
                return _unknown(district)
            if request.method != "POST":
                return _shown_as_it_is(district, question)
            if not _from_here(request, district):
                said = (
                    "The answer did not come from this page, so it was not taken. Go back to the "
                    "mail, open its link again and press a button there."
                )
                return _answered(district, "Not taken", _paragraphs((said,)), 403)
            choice, remark = await _posted(request)
            if choice not in dict(question.choices):
                if question.choices:
                    said = "Please go back and press one of the buttons."
                    return _answered(district, "Not taken", _paragraphs((said,)), 400)
                return _shown_as_it_is(district, question, 409)
            said_of_it = await desk.answer(token, choice, remark)
        except StoreError:
            said = "Your answer could not be kept just now. Please try again in a few minutes."
            return _answered(district, "Not taken", _paragraphs((said,)), 503)
        except ClientDisconnect:
            return Response(status_code=400)
        if said_of_it is None:
            return _unknown(district)
        return _answered(district, "Thank you", _outcome(said_of_it) + _about(question))

    async def file(request: Request) -> Response:
        name = request.path_params["name"]
        if name not in static:
            return Response(status_code=404, headers=HEADERS)
        headers = {**HEADERS, "Cache-Control": "public, max-age=3600"}
        return Response(static[name], 200, headers, "text/css")

    return [
        Route("/answer/static/{name}", file, methods=["GET"]),
        Route("/answer/{token}", page, methods=["GET", "POST"]),
    ]


def _shown_as_it_is(district: District, question: Question, status: int = 200) -> Response:
    """What is asked, about what, and the buttons; or what has come of it, and about what."""
    if question.choices:
        body = _about(question) + _form_of(question)
        return _answered(district, question.title, body, status)
    return _answered(district, _ENDED, _outcome(question.outcome) + _about(question), status)


def _about(question: Question) -> str:
    excerpt = _visible(question.excerpt)
    return _ABOUT.format(
        particulars="\n".join(
            f"<dt>{escape(label)}</dt><dd><bdi>{_visible(value)}</bdi></dd>"
            for label, value in question.particulars
        ),
        excerpt=f'<pre dir="auto">{excerpt}</pre>\n' if excerpt else "",
    )


def _form_of(question: Question) -> str:
    return _FORM.format(
        paragraphs=_paragraphs(question.paragraphs),
        person=_visible(question.person),
        longest=_REMARK,
        choices="\n".join(
            f'<button name="choice" value="{escape(value)}">{escape(label)}</button>'
            for value, label in question.choices
        ),
    )


def _outcome(text: str) -> str:
    return f'<p class="outcome">{_visible(text)}</p>\n'


def _paragraphs(texts: tuple[str, ...]) -> str:
    return "\n".join(f"<p>{_visible(text)}</p>" for text in texts)


def _answered(district: District, title: str, body: str, status: int = 200) -> Response:
    page = _PAGE.format(
        title=_visible(title),
        district=escape(district.name),
        body=body,
        department=escape(district.department),
        postmaster=escape(district.postmaster),
    )
    return HTMLResponse(page, status, HEADERS)


def _unknown(district: District) -> Response:
    said = (
        "This page belongs to no question, or the address was cut off on the way. Go back to the "
        "mail and open its link again as a whole.",
    )
    return _answered(district, "There is nothing here", _paragraphs(said), 404)


def _from_here(request: Request, district: District) -> bool:
    """Whether a POST comes from our own page: as the browser says, and where an old one says
    nothing, by the token alone, which nobody else knows."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site == "same-origin"
    origin = request.headers.get("origin")
    if origin is None:
        return True
    ours = urlsplit(district.copy_page_url)
    return origin == f"{ours.scheme}://{ours.netloc}"


async def _posted(request: Request) -> tuple[str, str]:
    """The choice and the remark; empty where the body is none of our form's."""
    body = b""
    try:
        async with asyncio.timeout(_PATIENCE):
            async for chunk in request.stream():
                body += chunk
                if len(body) > _BODY:
                    return "", ""
    except TimeoutError:
        return "", ""
    try:
        given = parse_qs(body.decode("utf-8"), max_num_fields=10, errors="replace")
    except ValueError:
        return "", ""
    choice, remark = given.get("choice", [""])[0], given.get("remark", [""])[0]
    return choice[:40], "".join(c for c in remark if c == "\n" or c.isprintable())[:_REMARK]


def _visible(text: str) -> str:
    """Escaped text in which nothing turns the rest round or hides."""
    return _NOT_PLAIN.sub(_shown, escape(text))


def _shown(found: re.Match[str]) -> str:
    character = found[0]
    return "\ufffd" if unicodedata.category(character) in _UNSEEN else character
