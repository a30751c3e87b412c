"""Edits change what they say and nothing else, whatever the message."""

from __future__ import annotations

import base64
import quopri
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from mailguard.checks.disclaimer.check import Disclaimer, Profile
from mailguard.checks.links.check import Links
from mailguard.core.decision.edit import Edit, ReplaceText
from mailguard.core.decision.facts import Facts
from mailguard.core.mail import mime
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.notices import policy_texts
from mailguard.core.people.district import District
from mailguard.core.people.model import Person
from mailguard.core.render import render, splice
from mailguard.core.text import reader

DISTRICT = District(
    name="Example Valley District",
    short_name="EVD",
    domains=("example.org",),
    spammail="spammail@example.org",
    postmaster="postmaster@example.org",
    authserv_id="mx.example.org",
    copy_page_url="https://links.example.org",
)
LISTENER = Listener("submission", Role.SUBMISSION)
ENVELOPE = Envelope("jane@example.org", ("parent@home.test", "tim@example.org"), account="jane")
OWNER = Person("jane", "Jane Doe", ("jane@example.org",))

PIECES = st.sampled_from(
    [
        "<p>", "</p>", "<div>", "</div>", "<b>", "</b>", "<table><tr><td>", "</td></tr></table>",
        "\r\n", "<br>", "<a href=\"http://a.test/?x=1&amp;y\">", "<a href=http://b.test>",
        "</a>", "&amp;", "&#x41;", "http://c.test/x", "www.d.test", "text ", "caf\xe9 ",
        "\u4f60\u597d", "\U0001f600", "=", " ", ".", "> ",
        "<!--[if mso]><a href='http://e.test'>x</a><![endif]-->", "<!-- c -->", "<style>",
        "</style>", "<div class=gmail_quote>", "<blockquote type=cite>", "</blockquote>",
        "On Mon, Jane wrote:\r\n", "-----Original Message-----\r\n", "<noscript>", "</noscript>",
        "<base href=//f.test>", "<svg>", "</svg>", "<form action='http://g.test'>", "<textarea>",
        "<", ">", "\"", "'", "</body>", "<body>", "<html>", "<p style='display:none'>",
        "<area href=http://h.test>", "<a href=\"javascript:x()\">", "--", "\t",
    ]
)  # fmt: skip
TEXTS = st.lists(PIECES, max_size=25).map("".join)
CHARSETS = st.sampled_from(["utf-8", "us-ascii", "windows-1252", "gb18030", "iso-2022-jp"])
ENCODINGS = st.sampled_from(["7bit", "8bit", "quoted-printable", "base64"])


def entity(kind: str, charset: str, encoding: str, text: str) -> bytes:
    data = text.encode(charset, "replace")
    if encoding == "7bit" and not data.isascii():
        encoding = "8bit"
    if encoding == "quoted-printable":
        data = splice.to_quoted_printable(data)
    elif encoding == "base64":
        data = base64.encodebytes(data).replace(b"\n", b"\r\n")
    header = (
        f"Content-Type: text/{kind}; charset={charset}\r\nContent-Transfer-Encoding: {encoding}\r\n"
    )
    return header.encode() + b"\r\n" + data


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    parts = [
        entity(kind, draw(CHARSETS), draw(ENCODINGS), draw(TEXTS))
        for kind in draw(st.sampled_from([("plain",), ("html",), ("plain", "html")]))
    ]
    head = b"From: jane@example.org\r\nMIME-Version: 1.0\r\n"
    if len(parts) == 1:
        return head + parts[0]
    body = b"".join(b"--=_b\r\n" + part + b"\r\n" for part in parts)
    return (
        head
        + b'Content-Type: multipart/alternative; boundary="=_b"\r\n\r\n'
        + body
        + b"--=_b--\r\n"
    )


def proposed(
    raw: bytes, mode: str, nested: str = "leave", signed: str = "leave"
) -> tuple[Message, list[Edit]]:
    """The message, and what the two checks that edit propose."""
    message = mime.parse(raw)
    transaction = Transaction("01TEST", 0.0, LISTENER, ENVELOPE, message)
    facts = Facts(0.0, DISTRICT, owner=OWNER, reading=reader.read(message), link_keys=(b"k" * 32,))
    edits: list[Edit] = []
    profile = Profile(name="v3", text=policy_texts.V3_DISCLAIMER + " \u2013")
    for check, chosen in (
        (Disclaimer(), {"profiles": (profile,), "signed": signed}),
        (Links(), {"internal": mode, "outbound": mode, "nested": nested}),
    ):
        verdict = check.examine(transaction, facts, check.Settings(**chosen))
        assert verdict.error is None
        edits += verdict.edits
    return message, edits


def judged(raw: bytes, mode: str, nested: str = "leave") -> tuple[Message, list[ReplaceText]]:
    """The same, of texts alone."""
    message, edits = proposed(raw, mode, nested)
    return message, [edit for edit in edits if isinstance(edit, ReplaceText)]


@given(st.binary(max_size=2_000))
def test_no_edits_give_the_same_bytes(raw: bytes) -> None:
    assert render.render(mime.parse(raw), ()) == raw


@settings(max_examples=300, deadline=None)
@given(messages(), st.sampled_from(["copy-page", "unlink"]))
def test_the_outcome_is_the_plan_and_a_second_pass_adds_nothing(raw: bytes, mode: str) -> None:
    message, edits = judged(raw, mode)
    rendered = render.render(message, edits)
    assert render.verify(message, rendered, edits) is None
    _, more = judged(rendered, mode)
    for edit in more:
        # Dropping the tags of misnested links may join what they kept apart, never bring back one.
        assert "CONFIDENTIALITY" not in edit.replacement
    if mode == "copy-page":
        assert more == [], (raw, rendered)


@settings(max_examples=300, deadline=None)
@given(messages(), st.data())
def test_an_edit_changes_no_byte_outside_its_part(raw: bytes, data: st.DataObject) -> None:
    message = mime.parse(raw)
    editable = [text for text in reader.read(message).texts if text.editable]
    if not editable:
        return
    text = data.draw(st.sampled_from(editable))
    start = data.draw(st.integers(0, len(text.text)))
    end = data.draw(st.integers(start, len(text.text)))
    new = data.draw(st.sampled_from(["", "x", "a=b\r\nc", "\u00e9\u4f60", "y" * 300]))
    edits = [ReplaceText(text.path, start, end, new)]
    rendered = render.render(message, edits)
    assert render.verify(message, rendered, edits) is None
    part = next(p for p in message.parts if p.path == text.path)
    after = len(raw) - part.end
    assert rendered[len(rendered) - after :] == raw[part.end :]
    assert rendered.startswith(raw[: part.start])


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 75), st.booleans())
def test_quoted_printable_brings_back_any_octets(data: bytes, column: int, ends: bool) -> None:
    written = splice.to_quoted_printable(data, column, ends)
    assert quopri.decodestring(written) == data
    lines = written.split(b"\r\n")
    assert column + len(lines[0]) <= 76
    assert all(len(line) <= 76 for line in lines[1:])


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=1_000))
def test_reading_never_raises(body: bytes) -> None:
    for kind in (b"text/html", b"text/plain"):
        message = mime.parse(b"Content-Type: " + kind + b"\r\n\r\n" + body)
        for text in reader.read(message).texts:
            assert 0 <= text.insert_at <= len(text.text)
            for link in text.links:
                assert link.start <= link.end <= len(text.text)


def test_facts_do_not_show_keys() -> None:
    facts = Facts(0.0, DISTRICT, link_keys=(b"secret",))
    assert "secret" not in repr(facts)
    assert replace(facts, link_keys=()) != facts
