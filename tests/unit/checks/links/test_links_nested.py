"""R39 in attached messages: left by default, changed by setting, never where they are sealed."""

from __future__ import annotations

import email
from dataclasses import replace

import pytest

from mailguard.checks.links.check import Links
from mailguard.core.links import sealed
from mailguard.core.mail import mime
from mailguard.core.render import render
from mailguard.core.text import reader

CHECK = Links()
KEYS = (b"k" * 32,)
PAGE = "https://links.example.org"
HEAD = "From: Ann <ann@home.test>\r\nSubject: x\r\nMIME-Version: 1.0\r\n"
INNER = "From: Bo <bo@other.test>\r\nSubject: inner\r\n"
HTML = 'Content-Type: text/html\r\n\r\n<a href="https://a.test/?x=1&amp;y">here</a>\r\n'
QP = (
    "Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    '<a href=3D"https://a.test/?=\r\nx=3D1&amp;y">caf=C3=A9</a>\r\n'
)
PLAIN = "Content-Type: text/plain; charset=us-ascii\r\n\r\nSee https://a.test/?x=1&y there\r\n"
PGP = "\r\n-----BEGIN PGP SIGNED MESSAGE-----\r\n\r\nhttps://a.test/?x=1&y\r\n"


def parted(kind: str, *parts: str) -> str:
    mark = f"--{kind}-{sum(map(len, parts))}"
    body = "".join(f"{mark}\r\n{part}" for part in parts)
    head = f'Content-Type: multipart/{kind}; boundary="{mark[2:]}"\r\n\r\n'
    return f"{head}{body}{mark}--\r\n"


def attached(inner: str, *fields: str) -> str:
    more = "".join(f"{field}\r\n" for field in fields)
    return f"Content-Type: message/rfc822\r\n{more}\r\n{INNER}{inner}"


def said(build, text, **settings):
    raw = text if isinstance(text, bytes) else (HEAD + text).encode()
    built = build(raw, link_keys=KEYS)
    district = replace(built.facts.district, copy_page_url=PAGE)
    facts = replace(built.facts, district=district)
    verdict = CHECK.examine(built.transaction, facts, CHECK.Settings(**settings))
    assert verdict.error is None
    message = built.transaction.message
    rendered = render.render(message, verdict.edits)
    assert render.verify(message, rendered, verdict.edits) is None
    return verdict, [f.code.partition(".")[2] for f in verdict.findings], rendered


BODY = "Content-Type: text/plain\r\n\r\nSee what is attached.\r\n"


@pytest.mark.parametrize("inner", [HTML, QP, PLAIN, parted("alternative", PLAIN, HTML)])
@pytest.mark.parametrize(
    "fields", [(), ('Content-Disposition: attachment; filename="x.eml"', "X-Kept:  as it\r\n\tis")]
)
def test_links_in_an_attached_message(build, inner, fields) -> None:
    text = parted("mixed", BODY, attached(inner, *fields))
    raw = (HEAD + text).encode()
    assert said(build, text)[1:] == ([], raw)  # left by default
    verdict, codes, rendered = said(build, text, nested="rewrite")
    assert codes == ["rewritten"]
    paths = {edit.part for edit in verdict.edits}
    assert all(path.startswith("2.1") for path in paths)
    # Outside the edited texts every octet stays.
    before, after = mime.parse(raw), mime.parse(rendered)
    for old, new in zip(before.parts, after.parts, strict=True):
        if old.path not in paths:
            fields_of = [raw[f.start : f.end] for f in old.fields]
            assert fields_of == [rendered[f.start : f.end] for f in new.fields]
    (found,) = {link.target for t in reader.read(after).nested for link in t.links}
    assert sealed.open_(found.removeprefix(f"{PAGE}/l/"), KEYS) == "https://a.test/?x=1&y"
    # To another reader too, the message is where and what it was.
    outer = email.message_from_bytes(rendered)
    assert outer.get_payload()[1].get_payload()[0]["Subject"] == "inner"
    again, codes, same = said(build, rendered, nested="rewrite")
    assert (again.edits, codes, same) == ((), [], rendered)


def test_messages_in_messages_and_both_bodies(build) -> None:
    deep = attached(parted("mixed", HTML, attached(PLAIN)))
    _, codes, rendered = said(build, parted("mixed", HTML, deep), nested="rewrite")
    assert codes == ["rewritten"]
    assert rendered.count(f"{PAGE}/l/".encode()) == 3
    assert b"a.test" not in rendered
    _, _, rendered = said(build, parted("mixed", HTML, deep))
    assert rendered.count(f"{PAGE}/l/".encode()) == 1


def test_a_message_that_is_nothing_but_an_attached_one(build) -> None:
    for text in (attached(PLAIN), parted("digest", f"\r\n{INNER}{PLAIN}", f"\r\n{INNER}{HTML}")):
        assert said(build, text, nested="rewrite")[1] == ["rewritten"]
        assert said(build, text)[1] == []


@pytest.mark.parametrize(
    "inner",
    [
        parted("signed", HTML, "Content-Type: application/pkcs7-signature\r\n\r\nx\r\n"),
        PGP,
        parted("alternative", PGP, HTML),
        "Content-Type: text/html; charset=x-unknown\r\n\r\n<a href=https://a.test>x</a>\r\n",
    ],
)
def test_what_is_sealed_is_left_and_said(build, inner) -> None:
    text = parted("mixed", BODY, attached(inner))
    verdict, codes, rendered = said(build, text, nested="rewrite")
    assert codes == ["not-editable"]
    assert rendered == (HEAD + text).encode()
    assert "a.test" in verdict.findings[0].evidence
    assert said(build, text)[1] == []


@pytest.mark.parametrize(
    "text",
    [
        parted("signed", parted("mixed", BODY, attached(HTML)), "\r\nx\r\n"),
        parted("signed", attached(HTML), "\r\nx\r\n"),
    ],
)
def test_within_what_is_signed_nothing_changes(build, text) -> None:
    _, codes, rendered = said(build, text, nested="rewrite")
    assert codes == ["not-editable"]
    assert rendered == (HEAD + text).encode()


@pytest.mark.parametrize(
    "text",
    [
        parted("encrypted", BODY, attached(HTML)),
        parted(
            "report", BODY, "Content-Type: message/delivery-status\r\n\r\nx: y\r\n", attached(HTML)
        ),
        parted("mixed", BODY, attached(parted("encrypted", HTML, HTML))),
        parted("mixed", BODY, attached(f"Content-Disposition: attachment\r\n{HTML}")),
        parted(
            "mixed",
            BODY,
            "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nQQ==\r\n",
        ),
    ],
)
def test_what_nobody_is_shown_as_a_text_is_no_text(build, text) -> None:
    assert said(build, text, nested="rewrite")[1:] == ([], (HEAD + text).encode())


def test_a_signature_in_the_text_does_not_cover_what_is_attached(build) -> None:
    text = parted("mixed", PGP, attached(HTML))
    verdict, codes, _ = said(build, text, nested="rewrite")
    assert codes == ["rewritten", "not-editable"]
    assert [edit.part for edit in verdict.edits] == ["2.1"]


def test_warn_and_deceptive_texts(build) -> None:
    html = "Content-Type: text/html\r\n\r\n<a href=https://evil.test>https://bank.test</a>\r\n"
    text = parted("mixed", BODY, attached(html))
    assert said(build, text, inbound="warn", nested="rewrite")[1] == ["present", "deceptive"]
    assert said(build, text, inbound="warn")[1] == []


def test_the_form_for_other_programs_in_an_attached_message_is_said(build) -> None:
    amp = "Content-Type: text/x-amp-html\r\n\r\n<a href=https://a.test/>x</a>\r\n"
    text = parted("mixed", BODY, attached(parted("alternative", HTML, amp)))
    assert said(build, text, nested="rewrite")[1] == ["rewritten", "not-editable"]


def test_a_charset_that_lacks_a_character_gets_its_mime_version(build) -> None:
    """Written anew, the inner message says MIME-Version, as an outer one would."""
    inner = "Content-Type: text/plain\r\n\r\n" + "x" * 900 + " https://a.test/" + "y" * 40 + "\r\n"
    _, codes, rendered = said(build, parted("mixed", BODY, attached(inner)), nested="rewrite")
    assert codes == ["rewritten"]
    assert (
        b"Subject: inner\r\nContent-Type: text/plain\r\nMIME-Version: 1.0\r\n"
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" in rendered
    )


def test_the_budgets_are_shared_and_said() -> None:
    text = parted("mixed", BODY, *[attached(HTML)] * 4)
    message = mime.parse((HEAD + text).encode())
    found = reader.read(message, reader.ReadingLimits(texts=3))
    assert (len(found.texts), len(found.nested)) == (1, 2)
    assert (found.truncated, found.nested_truncated) == (False, True)
    assert reader.read(message).nested_truncated is False


def test_a_reading_of_attached_messages_that_was_cut_short_is_said(build) -> None:
    raw = (HEAD + parted("mixed", BODY, attached(HTML))).encode()
    built = build(raw, link_keys=KEYS)
    reading = replace(built.facts.reading, nested_truncated=True)
    facts = replace(built.facts, reading=reading)
    for nested, codes in (("leave", []), ("rewrite", ["links.rewritten", "links.not-editable"])):
        verdict = CHECK.examine(built.transaction, facts, CHECK.Settings(nested=nested))
        assert [f.code for f in verdict.findings] == codes
