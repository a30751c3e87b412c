"""The copy page (R39)."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest
from tests.support.web import DISTRICT, Page, fetch

from mailguard.core.links import sealed
from mailguard.frontends.web.copy_page import copy_page_routes, render_page

KEYS = (b"k" * 32,)
TARGET = "https://news.example.test/a?x=1&y=<\"'>"


async def ask(path: str, method: str = "GET", keys: tuple[bytes, ...] = KEYS) -> Page:
    snapshot = SimpleNamespace(district=DISTRICT, link_keys=keys)
    return await fetch(copy_page_routes(lambda: snapshot), path, method)


async def test_it_shows_the_exact_address_and_no_way_to_go_there() -> None:
    answer = await ask(f"/l/{sealed.seal(TARGET, KEYS)}")
    assert answer.status == 200
    assert (
        'value="https://news.example.test/a?x=1&amp;y=&lt;&quot;&#x27;&gt;" readonly' in answer.text
    )
    assert "https://<strong>news.example.test</strong>/a?x=1" in answer.text
    assert "<bdi>news.<strong>example.test</strong></bdi>" in answer.text
    assert "Ask Technology Services before you open it: postmaster@example.org" in answer.text
    assert "<a" not in answer.text
    assert "http-equiv" not in answer.text
    assert "location" not in answer.headers
    assert "Example &lt;Valley&gt; District" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert "<script>" not in answer.text
    assert " style=" not in answer.text


@pytest.mark.parametrize("token", ["x", "A" * 40, "%00", "..%2f..%2fetc", "\u00e9" * 30])
async def test_a_bad_token_is_404_in_plain_words(token: str) -> None:
    answer = await ask(f"/l/{token}")
    assert answer.status == 404
    assert "This link is not valid" in answer.text
    assert token not in answer.text or token == "x"
    assert "content-security-policy" in answer.headers


async def test_a_changed_token_or_key_is_404() -> None:
    token = sealed.seal(TARGET, KEYS)
    assert (await ask(f"/l/{token[:-2]}AA")).status == 404
    assert (await ask(f"/l/{token}", keys=(b"x" * 32,))).status == 404
    assert (await ask(f"/l/{token}", keys=(b"x" * 32, *KEYS))).status == 200


async def test_other_methods_are_harmless() -> None:
    path = f"/l/{sealed.seal(TARGET, KEYS)}"
    head = await ask(path, "HEAD")
    assert (head.status, head.headers.get("location")) == (200, None)
    for method in ("OPTIONS", "POST", "PUT", "DELETE"):
        assert (await ask(path, method)).status == 405


@pytest.mark.parametrize(
    ("name", "kind"), [("copy-page.js", "text/javascript"), ("copy-page.css", "text/css")]
)
async def test_script_and_style_come_from_the_same_origin(name: str, kind: str) -> None:
    answer = await ask(f"/l/static/{name}")
    assert answer.status == 200
    assert answer.headers["content-type"].startswith(kind)
    assert f'"static/{name}"' in render_page(TARGET, DISTRICT)
    assert (await ask(f"/l/static/x{name}")).status == 404


def test_an_international_name_is_shown_both_ways() -> None:
    for target in ("https://xn--bcher-kva.test/", "https://b\u00fccher.test/"):
        page = render_page(target, DISTRICT)
        assert "xn--bcher-kva.test" in page
        assert "<bdi>b\u00fccher.test</bdi>" in page


@pytest.mark.parametrize(
    ("target", "written", "opened"),
    [
        ("https://u@evil.test:8/x", "evil.test", "evil.test"),
        ("https://A.Test", "A.Test", "a.test"),
        ("https://[::1]/", "[::1]", "[::1]"),
        ("http://a.test\\b@c", "a.test", "a.test"),
        ("https://\u0130@\u0130\u0130.evil.test/", "\u0130\u0130.evil.test", "evil.test"),
        ("https://www.example.org%2eevil.test/", "www.example.org%2eevil.test", "evil.test"),
        ("https://www.example.org.evil.test/", "www.example.org.evil.test", "evil.test"),
        ("https://\u2460\u2461\u2466.0.0.1/", "\u2460\u2461\u2466.0.0.1", "127.0.0.1"),
        ("https:///", "", ""),
    ],
)
def test_the_marked_address_is_whole_and_the_site_the_one_that_opens(
    target: str, written: str, opened: str
) -> None:
    page = render_page(target, DISTRICT)
    marked = page[page.index("<code>") + 6 : page.index("</code>")]
    assert marked.replace("<strong>", "").replace("</strong>", "") == target
    assert f"<strong>{written}</strong>" in marked
    assert f"<strong>{opened}</strong></bdi></p>" in page


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("https://www.example.org@evil.test/", "What stands before the “@”"),
        ("https://www.example.org%2eevil.test/", "writes this name as"),
        ("https://0x7f.1/", "a number instead of a name"),
        ("https://evil.test:70000/", "do not open this address"),
        ("https://evil.test/\u202egpj.exe", "cannot be seen"),
        ("https://evil.test/a\u3164\ufe0f", "cannot be seen"),
        ("https://\u0440aypal.test/", "outside the English alphabet"),
    ],
)
def test_what_is_odd_is_said(target: str, words: str) -> None:
    assert words in render_page(target, DISTRICT)


@pytest.mark.parametrize(
    "target", ["https://news.example.test/a", "http://a.test.:80/", "https://B\u00dcCHER.test/"]
)
def test_nothing_is_said_without_reason(target: str) -> None:
    page = render_page(target, DISTRICT)
    assert page.count('class="warning"') == (0 if target.isascii() else 1)


def test_a_character_that_hides_is_isolated_and_named() -> None:
    page = render_page("https://evil.test/\u202egpj.exe", DISTRICT)
    marked = page[page.index("<code>") : page.index("</code>")]
    assert '/<bdi class="unseen" data-name="U+202E">\u202e</bdi>gpj.exe' in marked


async def test_a_page_that_is_nobodys_keeps_its_words() -> None:
    answer = await ask("/l/x")
    assert "Ask Technology Services: postmaster@example.org" in answer.text


SENT = sealed.LinkOrigin("ann@<home>.test", 29_926_666)  # 25 November 2026, 09:46 UTC


async def test_it_says_whose_message_it_was_where_the_link_tells_it() -> None:
    answer = await ask(f"/l/{sealed.seal(TARGET, KEYS, SENT)}")
    assert answer.status == 200
    assert "on <strong>Wednesday, 25 November 2026, 09:46 (UTC)</strong>" in answer.text
    assert "<strong><bdi>ann@&lt;home&gt;.test</bdi></strong>" in answer.text
    assert "It stood in a message" not in (await ask(f"/l/{sealed.seal(TARGET, KEYS)}")).text


def test_the_time_is_the_districts() -> None:
    district = replace(DISTRICT, time_zone="America/Los_Angeles")
    page = render_page(TARGET, district, SENT)
    assert "Wednesday, 25 November 2026, 01:46 (America/Los_Angeles)" in page
    last = sealed.LinkOrigin("a@b.test", 2**31 - 1)
    assert "(America/Los_Angeles)" in render_page(TARGET, district, last)


def test_nothing_hides_in_a_senders_address() -> None:
    page = render_page(TARGET, DISTRICT, sealed.LinkOrigin("a\u3164@b.test", 0))
    assert 'a<bdi class="unseen" data-name="U+3164">' in page
