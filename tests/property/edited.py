"""Messages of many forms, and what the checks that edit propose for them."""

from __future__ import annotations

import base64

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
from mailguard.core.render import splice
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
