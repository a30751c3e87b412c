"""R39: links are copied, not clicked."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest

from mailguard.checks.links.check import Links
from mailguard.checks.links.shown_site import named_site, same_site
from mailguard.checks.links.unlink import unclickable
from mailguard.core.decision.facts import Dmarc, Unavailable
from mailguard.core.links import sealed
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Role
from mailguard.core.render import render
from mailguard.core.text import reader

CHECK = Links()
KEYS = (b"k" * 32,)
PAGE = "https://links.example.org"
HEAD = "From: Ann <ann@home.test>\nSubject: x\nMIME-Version: 1.0\n"
BODY = (
    '<base href="http://b.test/"><a href="https://a.test/?x=1&amp;y=2">here</a> <a href=rel>rel</a>'
    '<map><area href="http://area.test"></map><form action=http://f.test><button formaction="http://g.test">'
    "go</button></form><svg><a xlink:href='http://s.test'>s</a></svg><a href='javascript:x()'>j</a>"
    '<!--[if mso]><v:rect href="http://v.test"></v:rect><![endif]--><p>www.t.test/a and http://u.test.</p>'
    '<meta http-equiv=refresh content="5;url=http://m.test"><a href="http://w.test">http://w.test</a>'
    '<a href="mailto:a@b.test">m</a><a href="https://www.example.org/">own</a><a href=http://open.test>open'
)


@pytest.fixture
def case(build):
    def made(text, **options):
        built = build(text, link_keys=KEYS, **options)
        district = replace(built.facts.district, copy_page_url=PAGE)
        return replace(built, facts=replace(built.facts, district=district))

    return made


def page(body: str, kind: str = "text/html") -> str:
    return f"{HEAD}Content-Type: {kind}; charset=us-ascii\n\n{body}\n"


def said(case, **settings):
    return CHECK.examine(case.transaction, case.facts, CHECK.Settings(**settings))


def sent(case, verdict) -> bytes:
    message = case.transaction.message
    rendered = render.render(message, verdict.edits)
    assert render.verify(message, rendered, verdict.edits) is None
    return rendered


def opened(rendered: bytes) -> list[str]:
    """The targets behind every link of a rendered message."""
    found = []
    for link in reader.read(mime.parse(rendered)).links:
        if link.construct != "a text":
            assert link.target.startswith(f"{PAGE}/l/"), link
            found.append(sealed.open_(link.target.removeprefix(f"{PAGE}/l/"), KEYS))
    return found


def test_every_construct_leads_to_the_copy_page(case, codes) -> None:
    built = case(page(BODY.replace('<a href="https://www.example.org/">own</a>', "")))
    before = [link.target for link in built.facts.reading.links if link.construct != "a text"]
    rendered = sent(built, said(built))
    expected = [t for t in before if t.startswith("http")]
    assert sorted(opened(rendered)) == sorted(expected)
    assert len(expected) == 13


def test_the_exact_address_survives(case) -> None:
    target = "https://a.test/%7Eb?x=1&y=\u00e9#f;'()"
    built = case(page(f'<a href="{html.escape(target)}">x</a>').replace("us-ascii", "utf-8"))
    assert opened(sent(built, said(built))) == [target]


def test_what_is_not_a_link_stays(case) -> None:
    built = case(page('<a href="mailto:a@b.test">m</a><a href="https://www.example.org/">own</a>'))
    assert said(built).edits == ()
    assert said(built).findings == ()


@pytest.mark.parametrize("mode", ["copy-page", "unlink"])
def test_a_second_pass_changes_nothing(case, mode) -> None:
    built = case(page(BODY))
    first = sent(built, said(built, inbound=mode))
    again = case(first)
    assert said(again, inbound=mode).edits == ()


def test_unlink_leaves_nothing_to_click_and_every_address_to_read(case) -> None:
    built = case(page(BODY))
    rendered = sent(built, said(built, inbound="unlink"))
    reading = reader.read(mime.parse(rendered))
    assert {link.target for link in reading.links} <= {"https://www.example.org/"}
    shown = reading.texts[0].visible
    for target in (
        "https://a.test/?x=1&y=2",
        "http://b.test/rel",
        "http://area.test",
        "http://f.test",
    ):
        assert f"[{target}]" in shown
    for target in (
        "http://w.test",
        "http://u.test",
        "www.t.test/a",
        "javascript:x()",
        "http://open.test",
    ):
        assert target in shown


def test_an_unclickable_address_reads_exactly() -> None:
    target = "https://a.test/?x=<&>\"'&amp;y"
    marked = unclickable(target)
    assert html.unescape(marked.replace("<span>", "").replace("</span>", "")) == target
    assert "https://" not in marked
    assert "a.test" not in marked


def test_plain_text(case, codes) -> None:
    text = page("See https://a.test/x, <https://b.test/one\ntwo> and www.c.test.", "text/plain")
    built = case(text)
    assert sorted(opened(sent(built, said(built)))) == [
        "http://www.c.test",
        "https://a.test/x",
        "https://b.test/onetwo",
    ]
    assert codes(CHECK, built, inbound="unlink") == ["not-editable"]
    assert said(built, inbound="unlink").edits == ()


def test_without_a_key_links_are_unlinked(case) -> None:
    built = case(page('<a href="http://a.test/">x</a>'))
    built = replace(built, facts=replace(built.facts, link_keys=()))
    assert b"href" not in sent(built, said(built))


def test_a_forged_token_of_our_page_is_rewritten(case) -> None:
    built = case(page(f'<a href="{PAGE}/l/forged">x</a>'))
    assert opened(sent(built, said(built))) == [f"{PAGE}/l/forged"]


def test_directions(case, codes) -> None:
    text = page('<a href="http://a.test/">x</a>')
    inside = {"role": Role.SUBMISSION, "account": "jdoe"}
    assert codes(CHECK, case(text)) == ["rewritten"]
    assert codes(CHECK, case(text), inbound="off") == []
    assert codes(CHECK, case(text), inbound="warn") == ["present"]
    assert codes(CHECK, case(text, **inside)) == []
    assert codes(CHECK, case(text, **inside), internal="unlink") == ["rewritten"]
    assert codes(CHECK, case(text, **inside, recipients=("a@out.test",)), outbound="warn") == [
        "present"
    ]
    assert codes(CHECK, case(text), exempt_domains=("A.test",)) == []


def test_each_recipient_gets_the_copy_of_the_direction(case) -> None:
    own, out = "tim.moss@example.org", "a@out.test"
    built = case(page('<a href="http://a.test/">x</a>'), recipients=(own, out))
    verdict = said(built)
    assert {edit.recipients for edit in verdict.edits} == {(own,)}
    assert render.concerning(verdict.edits, out) == ()
    both = said(built, outbound="unlink")
    for recipient in (own, out):
        mine = render.concerning(both.edits, recipient)
        assert (
            render.verify(
                built.transaction.message, render.render(built.transaction.message, mine), mine
            )
            is None
        )


@pytest.mark.parametrize(
    ("shown", "target", "deceptive"),
    [
        ("https://bank.test/login", "https://evil.test/", True),
        ("www.bank.test", "http://bank.test.evil.test/", True),
        ("bank.com", "https://bank.com@evil.test/", True),
        ("bank.com", "https://www.bank.com/x", False),
        ("https://mail.bank.com", "https://login.bank.com", False),
        ("https://a.k12.ca.us", "https://b.k12.ca.us", True),
        ("a.k12.tx.us", "https://b.k12.ca.us", True),
        ("https://www.a.k12.ca.us", "https://mail.a.k12.ca.us", False),
        ("bank.com", "https://bank.com%2eevil.test/", True),
        ("bank.com", "https://ＢＡＮＫ.com/", False),
        ("Click here", "https://evil.test", False),
        ("report.zip", "https://files.test", False),
        ("v1.2", "https://files.test", False),
        ("https://b\u00e4nk.test", "https://xn--bnk-qla.test", False),
    ],
)
def test_deceptive_texts(case, codes, shown, target, deceptive) -> None:
    built = case(page(f'<a href="{target}">{shown}</a>').replace("us-ascii", "utf-8"))
    assert ("deceptive" in codes(CHECK, built)) == deceptive


def test_sites() -> None:
    assert named_site("https://a.test:80/x") == "a.test"
    assert named_site("two words.com") == ""
    assert same_site("www.a.com", "b.a.com")
    assert not same_site("a.co.uk", "b.co.uk")


@pytest.mark.parametrize(
    "text",
    [
        "Content-Type: multipart/signed; boundary=b\n\n--b\nContent-Type: text/html\n\n<a href=http://a.test>x</a>\n--b--\n",
        "Content-Type: text/html; charset=x-unknown\n\n<a href=http://a.test>x</a>\n",
        "Content-Type: text/plain\n\n-----BEGIN PGP SIGNED MESSAGE-----\nhttp://a.test/\n",
    ],
)
def test_what_may_not_be_edited_is_said(case, codes, text) -> None:
    built = case(HEAD + text)
    assert codes(CHECK, built) == ["not-editable"]
    assert said(built).edits == ()


def test_a_reading_that_was_cut_short_is_said(case, codes) -> None:
    built = case(page("<a href=http://a.test>x</a>"))
    cut = replace(built.facts.reading, truncated=True)
    built = replace(built, facts=replace(built.facts, reading=cut))
    assert codes(CHECK, built) == ["rewritten", "not-editable"]


def test_what_was_not_read_is_an_error(case) -> None:
    assert "budget" in said(case(page("x"), reading=Unavailable("budget"))).error


def test_hostile_addresses_do_not_reach_evidence(case) -> None:
    built = case(page("<a href='http://a.test/&#x202e;&#27;[31m'>http://b.test&#x202e;</a>"))
    for finding in said(built).findings:
        assert finding.evidence.isprintable()


@pytest.mark.parametrize(
    ("dmarc", "sender", "modes"),
    [
        ("pass", "news@partner.test", ["off"]),
        ("pass", "news@mail.partner.test", ["off"]),
        ("fail", "news@partner.test", ["copy-page"]),  # anybody can write that From
        ("pass", "news@notpartner.test", ["copy-page"]),
        ("pass", "Ann@Home.test", ["unlink"]),
    ],
)
def test_a_sender_of_another_mode_has_to_be_proven(case, dmarc, sender, modes) -> None:
    text = page('<a href="https://a.test/">here</a>').replace("ann@home.test", sender)
    built = case(text)
    built = replace(built, facts=replace(built.facts, dmarc=Dmarc(dmarc)))
    settings = [
        {"senders": ["ann@home.test"], "mode": "unlink"},
        {"senders": ["partner.test"], "mode": "off"},
    ]
    rendered = sent(built, said(built, by_sender=settings))
    done = {b"href=": "off", PAGE.encode(): "copy-page", b"<span>here": "unlink"}
    done_to = [mode for mark, mode in done.items() if mark in rendered]
    assert modes[0] in done_to
    assert ("off" in modes) == (rendered == built.transaction.message.raw)


def test_a_sender_of_ours_counts_by_the_login(case) -> None:
    text = page('<a href="https://a.test/">here</a>').replace("ann@home.test", "jdoe@example.org")
    built = case(text, role=Role.SUBMISSION, account="jdoe", recipients=("a@home.test",))
    rules = [{"senders": ["JDoe@example.org"], "mode": "copy-page"}]
    assert [f.code for f in said(built, by_sender=rules).findings] == ["links.rewritten"]
    others = [{"senders": ["tim.moss@example.org"], "mode": "copy-page"}]
    assert said(built, by_sender=others).findings == ()


@pytest.mark.parametrize(
    ("target", "stays"),
    [
        ("https://www.example.org/x", True),
        ("https://www.EXAMPLE.org%2fx/", False),
        ("https://evil.test\uff0f.example.org/", False),  # no browser opens it
        ("https://example.org\\@evil.test/", True),
        ("https://evil.test\\@example.org/", False),
        ("https://b\u00fccher.test/", True),
        ("https://xn--bcher-kva.test/", True),
        ("https://xbcher.test/", False),
    ],
)
def test_exempt_is_what_a_browser_opens(case, target, stays) -> None:
    built = case(page(f'<a href="{target}">x</a>').replace("us-ascii", "utf-8"))
    assert (said(built, exempt_domains=["b\u00fccher.test"]).edits == ()) == stays


def test_links_of_a_form_that_may_not_be_edited_are_said(case, codes) -> None:
    parts = "--b\nContent-Type: text/{}\n\n<a href={}>x</a>\n"
    head = f"{HEAD}Content-Type: multipart/alternative; boundary=b\n\n"
    for address, expected in (("https://a.test/", ["not-editable"]), ("#a", [])):
        built = case(head + parts.format("html", "#x") + parts.format("x-amp-html", address))
        assert codes(CHECK, built) == expected
        assert sent(built, said(built)) == built.transaction.message.raw
