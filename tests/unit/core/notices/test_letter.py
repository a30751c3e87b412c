"""Mail to people: nothing of a stranger's mail becomes a header or markup, and the attachment is
the message as it came."""

from __future__ import annotations

import email
import email.policy
import re
from html import unescape
from typing import Any

from mailguard.core.mail import mime
from mailguard.core.notices import letter as letters
from mailguard.core.notices.letter import OutboundMail

PLAIN = OutboundMail(
    to=("tess.birch@example.org",),
    subject="Please approve: Bake sale",
    text="Carl Elm wants to write to all teachers.\n\nReply YES or NO.",
    sender="approvals@example.org",
    sender_name="EVUSD Mail",
    at=1_800_000_000.0,
    message_id="mailguard.41-0-aaaaaaaaaaaaaaaa@example.org",
    reply_to="approvals@example.org",
    answers=("<first@example.org>", "<second@example.org>"),
    choices=(("Approve", "https://mail.example.org/answer/41-0-a?x=1&y=2"),),
    excerpt="Dear <b>all</b>,\nbuy cake",
    closing="Thank you.",
)


def read(raw: bytes) -> Any:
    return email.message_from_bytes(raw, policy=email.policy.default)


def change(**changes: Any) -> OutboundMail:
    fields = {name: getattr(PLAIN, name) for name in OutboundMail.__slots__}
    return OutboundMail(**{**fields, **changes})


def test_both_parts_say_the_same() -> None:
    message = read(letters.compose(PLAIN))
    assert message["To"] == "tess.birch@example.org"
    assert message["Reply-To"] == "approvals@example.org"
    assert message["In-Reply-To"] == "<second@example.org>"
    assert message["References"].split() == ["<first@example.org>", "<second@example.org>"]
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == "<mailguard.41-0-aaaaaaaaaaaaaaaa@example.org>"
    text = message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    for said in ("Carl Elm wants", "Reply YES or NO.", "Thank you."):
        assert said in text
        assert said in html
    assert "https://mail.example.org/answer/41-0-a?x=1&y=2" in text
    assert 'href="https://mail.example.org/answer/41-0-a?x=1&amp;y=2"' in html
    lines = "\n".join(text.splitlines())
    assert "The message begins:\n\n    Dear <b>all</b>,\n    buy cake\n\nThank you." in lines
    assert "Dear &lt;b&gt;all&lt;/b&gt;," in html
    assert words(html) == lines.replace(f":\n{PLAIN.choices[0][1]}", "").split()
    without = read(letters.compose(change(excerpt="", closing="")))
    for kind in ("plain", "html"):
        assert "begins" not in without.get_body((kind,)).get_content()


def words(html: str) -> list[str]:
    """What an HTML part of ours says."""
    return unescape(re.sub(r"<[^<>]++>", "", html)).split()


def test_a_stranger_writes_no_header() -> None:
    nasty = "Hi\r\nBcc: all@example.org\u202e\x00"
    raw = letters.compose(
        change(subject=nasty, sender_name=nasty, answers=("<a@b>\r\nX: y", "<" + "a" * 300 + ">"))
    )
    message = read(raw)
    assert message["Bcc"] is None
    assert message["X"] is None
    assert message["In-Reply-To"] is None
    assert "\u202e" not in str(message["Subject"])
    assert b"\r\n\r\n" in raw
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_the_message_it_is_about_is_attached_unchanged() -> None:
    for original in (
        b"Subject: x\r\n\r\nno line end",
        b"Subject: x\r\n\r\n--mailguard-mailguard.41-0-aaaaaaaaaaaaaaaa\r\n",
        "Subject: ü\r\n\r\nü\r\n".encode(),
    ):
        raw = letters.compose(change(attached=original))
        parsed = mime.parse(raw)
        assert not parsed.defects
        attached = [p for p in parsed.parts if p.content_type == "message/rfc822"]
        assert len(attached) == 1
        content, _ = mime.decoded_body(parsed, attached[0])
        assert content in (original, original.removesuffix(b"\r\n"), original + b"\r\n")
        assert {p.content_type for p in parsed.parts} >= {"text/plain", "text/html"}
