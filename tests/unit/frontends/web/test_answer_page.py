"""The answer page: looking changes nothing, and only our own form's POST answers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.support.web import DISTRICT, ORIGIN, Page, fetch

from mailguard.casework.tickets import Question
from mailguard.frontends.web.answer_page import answer_routes
from mailguard.pipeline.ports import StoreError

OPEN = Question(
    title="May this be sent?",
    paragraphs=("Carl Elm wants to write to all teachers.",),
    particulars=(
        ("Subject", "<script>alert(1)</script> \u202egpj"),
        ("To", "teachers@example.org"),
    ),
    excerpt="Dear all,\n<b>buy</b> cake\x00",
    choices=(("yes", "Approve"), ("no", "Do not approve")),
    person="Tess Birch",
)
CLOSED = replace(OPEN, choices=(), outcome="Petra Pine approved it on Monday.")


@dataclass
class Asked:
    question_: Question | None = OPEN
    broken: bool = False
    answers: list[tuple[str, str, str]] = field(default_factory=list)

    async def question(self, token: str) -> Question | None:
        if self.broken:
            raise StoreError("locked")
        return self.question_ if token == "41-0-abc" else None

    async def answer(self, token: str, choice: str, remark: str = "") -> str | None:
        self.answers.append((token, choice, remark))
        return f"You said {choice}."


async def ask(
    desk: Asked, path: str, method: str = "GET", body: bytes | None = b"", **headers: str
) -> Page:
    snapshot: Any = SimpleNamespace(district=DISTRICT)
    return await fetch(answer_routes(desk, lambda: snapshot), path, method, body, **headers)


async def post(desk: Asked, body: bytes | None = b"choice=yes", **headers: str) -> Page:
    kind = "application/x-www-form-urlencoded"
    return await ask(desk, "/answer/41-0-abc", "POST", body, content_type=kind, **headers)


async def test_looking_shows_everything_escaped_and_answers_nothing() -> None:
    desk = Asked()
    page = await ask(desk, "/answer/41-0-abc")
    assert page.status == 200
    assert "May this be sent?" in page.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt; \ufffdgpj" in page.text
    assert "&lt;b&gt;buy&lt;/b&gt; cake\ufffd" in page.text
    assert '<button name="choice" value="yes">Approve</button>' in page.text
    assert "You answer as <strong>Tess Birch</strong>" in page.text
    assert "<script" not in page.text
    assert page.headers["cache-control"] == "no-store"
    assert "form-action 'self'" in page.headers["content-security-policy"]
    assert page.headers["referrer-policy"] == "same-origin"
    for method in ("HEAD", "OPTIONS", "PUT", "DELETE"):
        await ask(desk, "/answer/41-0-abc", method)
    assert desk.answers == []


async def test_a_button_answers_with_the_remark() -> None:
    desk = Asked()
    body = urlencode({"choice": "no", "remark": "Not this week,\nplease\x1b\u202e"}).encode()
    page = await post(desk, body, origin=ORIGIN, sec_fetch_site="same-origin")
    assert page.status == 200
    assert "You said no." in page.text
    assert "teachers@example.org" in page.text  # what it was about
    assert "<form" not in page.text
    assert desk.answers == [("41-0-abc", "no", "Not this week,\nplease")]


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.test"},
        {"origin": "null"},
        {"sec_fetch_site": "cross-site", "origin": ORIGIN},
        {"sec_fetch_site": "same-site", "origin": ORIGIN},
        {"sec_fetch_site": "none"},
    ],
    ids=str,
)
async def test_another_pages_form_answers_nothing(headers: dict[str, str]) -> None:
    desk = Asked()
    page = await post(desk, **headers)
    assert page.status == 403
    assert "it was not taken" in page.text
    assert desk.answers == []


async def test_an_old_browser_says_nothing_of_where_it_comes_from() -> None:
    desk = Asked()
    assert (await post(desk)).status == 200
    assert (await post(desk, origin=ORIGIN)).status == 200
    assert len(desk.answers) == 2


@pytest.mark.parametrize(
    "body",
    [b"", b"choice=maybe", b"choice=" + b"y" * 20_000, b"\xff=\xff", b"&".join([b"a=b"] * 50)],
    ids=["empty", "unknown", "long", "octets", "many"],
)
async def test_nonsense_answers_nothing(body: bytes) -> None:
    desk = Asked()
    assert (await post(desk, body)).status == 400
    assert desk.answers == []


async def test_a_post_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mailguard.frontends.web.answer_page._PATIENCE", 0.05)
    desk = Asked()
    assert (await post(desk, None)).status == 400
    assert desk.answers == []


async def test_what_is_decided_takes_no_answer_and_says_who_decided() -> None:
    desk = Asked(CLOSED)
    for page in (await ask(desk, "/answer/41-0-abc"), await post(desk)):
        assert "<h1>No answer is needed any more</h1>" in page.text
        assert "Petra Pine approved it" in page.text
        assert "teachers@example.org" in page.text
        assert "<button" not in page.text
    assert page.status == 409
    assert desk.answers == []


async def test_an_unknown_token_and_our_own_trouble() -> None:
    assert (await ask(Asked(), "/answer/41-0-xyz")).status == 404
    assert (await ask(Asked(), "/answer/41-0-xyz", "POST")).status == 404
    page = await post(Asked(broken=True))
    assert page.status == 503
    assert "try again" in page.text
    assert "locked" not in page.text


async def test_the_style_sheets() -> None:
    for name in ("copy-page.css", "answers.css"):
        page = await ask(Asked(), f"/answer/static/{name}")
        assert page.headers["content-type"].startswith("text/css")
    assert (await ask(Asked(), "/answer/static/other.css")).status == 404
