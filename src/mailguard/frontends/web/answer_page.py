"""The page behind a question that was asked by mail: it shows what is asked, and a POST answers.

Owns its words and routes; its HTML is `templates/answer.html`. GET and HEAD change nothing, so that
whoever looks at links ahead of their reader answers nothing. Needs no script. Must not know what a
question is about: the desk says, and does what an answer leads to.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol
from urllib.parse import parse_qs, urlsplit

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from mailguard.casework.tickets import Question
from mailguard.core.mail import safe_text
from mailguard.core.people.district import District
from mailguard.frontends.web import pages
from mailguard.pipeline.ports import StoreError
from mailguard.pipeline.snapshot import Snapshot

# The address is the answer's key: it goes to nobody else; but to ourselves, or the Origin of our
# own form would be "null".
HEADERS = pages.headers(referrer="same-origin", form=True)
_STYLES = ("copy-page.css", "answers.css")
_BODY = 16_384  # octets of a POST
_PATIENCE = 10.0  # seconds for a POST to come in
_REMARK = 1_000  # characters
_ENDED = "No answer is needed any more"


class Asking(Protocol):
    """Who asked; see `casework.inbox.Inbox`."""

    async def question(self, token: str) -> Question | None: ...

    async def answer(self, token: str, choice: str, remark: str = "") -> str | None: ...


def answer_routes(desk: Asking, get_snapshot: Callable[[], Snapshot]) -> list[Route]:
    """GET, HEAD and POST of `/answer/{token}`, and the style sheets."""

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
                return _not_taken(district, 403, said)
            choice, remark = await _posted(request)
            if choice not in dict(question.choices):
                if question.choices:
                    said = "Please go back and press one of the buttons."
                    return _not_taken(district, 400, said)
                return _shown_as_it_is(district, question, 409)
            said_of_it = await desk.answer(token, choice, remark)
        except StoreError:
            said = "Your answer could not be kept just now. Please try again in a few minutes."
            return _not_taken(district, 503, said)
        except ClientDisconnect:
            return Response(status_code=400)
        if said_of_it is None:
            return _unknown(district)
        return _page(district, "Thank you", 200, outcome=said_of_it, question=question)

    return [
        pages.static_files("/answer", _STYLES, HEADERS),
        Route("/answer/{token}", page, methods=["GET", "POST"]),
    ]


def _shown_as_it_is(district: District, question: Question, status: int = 200) -> Response:
    """What is asked, about what, and the buttons; or what has come of it, and about what."""
    if not question.choices:
        return _page(district, _ENDED, status, outcome=question.outcome, question=question)
    return _page(
        district,
        question.title,
        status,
        question=question,
        paragraphs=question.paragraphs,
        choices=question.choices,
    )


def _page(
    district: District,
    title: str,
    status: int,
    *,
    outcome: str = "",
    question: Question | None = None,
    paragraphs: tuple[str, ...] = (),
    choices: tuple[tuple[str, str], ...] = (),
) -> Response:
    return pages.page(
        "answer.html",
        status,
        HEADERS,
        district=district,
        title=title,
        outcome=outcome,
        question=question,
        paragraphs=paragraphs,
        choices=choices,
        longest_remark=_REMARK,
    )


def _not_taken(district: District, status: int, why: str) -> Response:
    return _page(district, "Not taken", status, paragraphs=(why,))


def _unknown(district: District) -> Response:
    said = (
        "This page belongs to no question, or the address was cut off on the way. Go back to the "
        "mail and open its link again as a whole.",
    )
    return _page(district, "There is nothing here", 404, paragraphs=said)


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
    return choice[:40], safe_text.lines(remark, _REMARK, _REMARK)
