"""A signed message, as it came, attached to one that carries a text of ours (R12)."""

from __future__ import annotations

import email
import email.policy

import pytest

from mailguard.core.decision.edit import AddField, RemoveField, ReplaceText, Wrap
from mailguard.core.mail import mime
from mailguard.core.render import render, wrapping

TEXT = "CONFIDENTIALITY NOTICE \u2013 for you alone.\n\nThank you."
SIGNED = (
    b"Received: from desk\r\n\tby mx; Sat, 21 Nov 2026 10:00:00 +0000\r\n"
    b"DKIM-Signature: v=1; b=x\r\nForged: x\r\nFROM : Jane Doe <jane@example.org>\r\n"
    b"To: lan@home.test\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?_folded?=\r\n"
    b"Date: Sat, 21 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
    b"In-Reply-To: <0@home.test>\r\nMIME-Version: 1.0\r\nContent-Language: en\r\n"
    b'Content-Type: multipart/signed; protocol="application/pkcs7-signature"; boundary=s\r\n\r\n'
    b"preamble\r\n--s\r\nContent-Type: text/plain\r\n\r\nHello  \r\n--s\r\n"
    b"Content-Type: application/pkcs7-signature\r\n\r\nAAAA\r\n--s--\r\nepilogue"
)


def wrapped(raw: bytes, *more: object) -> bytes:
    message = mime.parse(raw)
    edits = [AddField("X-Mailguard-Test", "1"), Wrap(TEXT), *more]
    rendered = render.render(message, edits)
    assert render.verify(message, rendered, edits) is None
    return rendered


@pytest.mark.parametrize(
    "raw",
    [
        SIGNED,
        SIGNED.replace(b"Hello", b"caf\xe9 \xff"),
        SIGNED.replace(b"\r\n", b"\n"),
        SIGNED + b"\r",
        SIGNED + b"\r\n\r\n",
        b"From: a@example.org\r\nMessage-ID: <1@a>",
        b"From: a@example.org\r\nMessage-ID: <1@a>\r\n\r\n\x00\r\r\n",
    ],
)
def test_it_is_inside_octet_for_octet(raw: bytes) -> None:
    rendered = wrapped(raw)
    result = mime.parse(rendered)
    _, attached = result.root.children
    assert rendered[attached.body_start : attached.end] == raw
    assert (attached.content_type, attached.disposition) == ("message/rfc822", "inline")
    # RFC 2045 6.4: 8-bit octets below are said above.
    told = "7bit" if raw.isascii() else "8bit"
    assert (result.root.transfer_encoding, attached.transfer_encoding) == (told, told)


def test_another_reader_sees_the_text_and_the_message() -> None:
    raw = SIGNED.replace(b"FROM :", b"From:")
    made = email.message_from_bytes(wrapped(raw), policy=email.policy.default)
    note, attached = made.iter_parts()
    assert note.get_content().replace("\r\n", "\n") == TEXT + "\n"
    assert note.get_content_disposition() is None
    (inner,) = attached.iter_parts()
    assert inner.get_content_type() == "multipart/signed"
    assert inner["Subject"] == made["Subject"] == "caf\u00e9 folded"


def test_its_header_is_the_messages_own_but_for_what_speaks_of_the_body() -> None:
    (forged,) = mime.parse(SIGNED).fields("Forged")
    rendered = wrapped(SIGNED, RemoveField(forged.start, forged.end))
    head = rendered.partition(b"\r\n\r\n")[0] + b"\r\n"
    start = SIGNED.index(b"Received")
    assert head.startswith(
        b"X-Mailguard-Test: 1\r\n"
        + SIGNED[start : SIGNED.index(b"DKIM-Signature")]
        + SIGNED[SIGNED.index(b"FROM") : SIGNED.index(b"MIME-Version")]
        + b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed;"
    )
    assert b"Content-Language" not in head
    assert mime.parse(rendered).value("Message-ID") == "<1@example.org>"
    assert b"Forged: x" in rendered  # inside, as it came


def test_texts_beside_what_is_signed_may_be_edited_too() -> None:
    raw = (
        b"From: a@example.org\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        b"Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n\r\nHello\r\n--s--\r\n--b\r\n"
        b"Content-Type: text/plain\r\n\r\nmore\r\n--b--\r\n"
    )
    rendered = wrapped(raw, ReplaceText("2", 0, 4, "MORE"))
    assert raw.replace(b"more", b"MORE") in rendered


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.replace(b"Hello  ", b"Hello "), "as it came"),
        (lambda r: r.replace(b"for you alone", b"for all"), "text above"),
        (lambda r: r.replace(b"To: lan@home.test", b"To: tim@home.test", 1), "header"),
        (lambda r: r.replace(b"Subject:", b"X-Subject:", 1), "header"),
        (lambda r: r.replace(b"multipart/mixed", b"multipart/x"), "text and a message"),
        (lambda r: r + b"\r\n", None),
    ],
)
def test_the_self_check_sees_what_differs(change, said) -> None:
    message = mime.parse(SIGNED)
    edits = [Wrap(TEXT)]
    rendered = change(render.render(message, edits))
    found = render.verify(message, rendered, edits)
    assert found is None if said is None else said in (found or "")


def test_a_wrapped_message_is_told_from_others() -> None:
    assert wrapping.wrapped_part(mime.parse(SIGNED)) is None
    rendered = wrapped(SIGNED)
    inner = wrapping.wrapped_part(mime.parse(rendered))
    assert inner is not None
    assert inner.content_type == "multipart/signed"
    # A forward of somebody else's message has an author and an id of its own.
    for name in (b"Message-ID: <1@", b"jane@"):
        at = rendered.index(name)
        forward = rendered[:at] + b"x" + rendered[at:]
        assert wrapping.wrapped_part(mime.parse(forward)) is None


@pytest.mark.parametrize(
    ("head", "obstacle", "signed"),
    [
        ("multipart/signed", "signed", True),
        ("application/pkcs7-mime; smime-type=signed-data", "signed or encrypted", True),
        ("application/pkcs7-mime; smime-type=Signed-Data", "signed or encrypted", True),
        ("application/pkcs7-mime; smime-type=enveloped-data", "signed or encrypted", False),
        ("application/pkcs7-mime", "signed or encrypted", False),
        ("multipart/encrypted", "encrypted", False),
        ("text/calendar", "calendar", False),
    ],
)
def test_what_is_signed(head: str, obstacle: str, signed: bool) -> None:
    message = mime.parse(f"Content-Type: {head}\r\n\r\n".encode())
    assert wrapping.is_signed(message, obstacle) == signed
