"""A mail to a person in which they are asked or told something: text and HTML alike, threaded.

Owns how such a mail is composed: the same words in both parts, links that work without HTML, the
Message-ID that an answer carries back, the message it is about attached with its bytes unchanged.
Whatever comes from a mail is escaped and cannot begin a line of a header. Must not know why it is
written, to whom policy sends it, or when it leaves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from email import policy as email_policy
from email.message import EmailMessage
from email.utils import formatdate

from mailguard.core.mail import encoded_words, octets, safe_text
from mailguard.core.people.district import District

_WIDTH = 78
_BEGINS = "The message begins:"


@dataclass(frozen=True, slots=True)
class OutboundMail:
    """What is said, before it is mail. `text` is paragraphs with empty lines between them."""

    to: tuple[str, ...]
    subject: str
    text: str
    sender: str  # the mailbox it comes from
    sender_name: str
    at: float  # seconds since the epoch
    message_id: str  # without angle brackets
    reply_to: str = ""  # a mailbox; where an answer goes
    answers: tuple[str, ...] = ()  # Message-IDs with brackets: In-Reply-To the last, References all
    choices: tuple[tuple[str, str], ...] = ()  # (label, address of a page)
    excerpt: str = ""  # of the message it is about, as safe text
    closing: str = ""  # below the excerpt
    attached: bytes = b""  # a message, as received
    automatic: str = "auto-generated"  # RFC 3834 5


def plain(
    district: District,
    to: str,
    subject: str,
    text: str,
    unique: str,
    at: float,
    answering: str = "",
) -> OutboundMail:
    """A letter that asks nothing. `unique` is "what it is|what makes it another": the same one has
    the same Message-ID, however often it is composed. `answering` is a Message-ID, or ""."""
    name, _, key = unique.partition("|")
    hashed = hashlib.sha256(f"{key}|{to}".encode("utf-8", "replace")).hexdigest()
    return OutboundMail(
        to=(to,),
        subject=subject,
        text=text,
        sender=district.postmaster,
        sender_name=f"{district.short_name} Mail",
        at=at,
        message_id=f"mailguard.{name}.{hashed[:12]}@{district.domains[0]}",
        answers=(answering,) if answering else (),
        automatic="auto-replied" if answering else "auto-generated",
    )


def compose(letter: OutboundMail) -> bytes:
    """The mail's octets, with CRLF line ends; 8-bit only where the attached message is."""
    message = EmailMessage(policy=email_policy.SMTP.clone(max_line_length=_WIDTH, cte_type="7bit"))
    message.set_content(_text(letter))
    message.add_alternative(_html(letter), subtype="html")
    top = _fields(letter)
    if not letter.attached:
        return top + bytes(message)
    boundary = f"mailguard-{letter.message_id.partition('@')[0]}"
    while octets.holds(letter.attached, boundary.encode()):
        boundary += "-"
    encoding = "7bit" if letter.attached.isascii() else "8bit"
    end = b"" if letter.attached.endswith(b"\r\n") else b"\r\n"
    return b"".join(
        (
            top,
            b"MIME-Version: 1.0\r\n",
            f'Content-Type: multipart/mixed; boundary="{boundary}"\r\n'.encode(),
            f"\r\n--{boundary}\r\n".encode(),
            bytes(message),
            f"\r\n--{boundary}\r\nContent-Type: message/rfc822\r\n".encode(),
            f"Content-Transfer-Encoding: {encoding}\r\n".encode(),
            b'Content-Disposition: attachment; filename="original-message.eml"\r\n\r\n',
            letter.attached,
            end,
            f"--{boundary}--\r\n".encode(),
        )
    )


def _fields(letter: OutboundMail) -> bytes:
    """The header above the content's own fields; written by hand, so that nothing folds a token."""
    name = safe_text.display_name(letter.sender_name)
    shown = f'"{name}"' if name.isascii() else encoded_words.encode(name)
    lines = [
        f"From: {shown} <{letter.sender}>",
        "To: " + ",\r\n ".join(f"<{mailbox}>" for mailbox in letter.to),
        f"Subject: {encoded_words.encode(safe_text.header(letter.subject))}",
        f"Date: {formatdate(letter.at, localtime=False)}",
        f"Message-ID: <{letter.message_id}>",
        f"Auto-Submitted: {letter.automatic}",
        "X-Auto-Response-Suppress: All",
    ]
    if letter.reply_to:
        lines.append(f"Reply-To: <{letter.reply_to}>")
    known = [found for found in letter.answers if _is_message_id(found)]
    if known:
        lines.append(f"In-Reply-To: {known[-1]}")
        lines.append("References: " + "\r\n ".join(known[-10:]))
    return "".join(f"{line}\r\n" for line in lines).encode("utf-8", "replace")


def _is_message_id(text: str) -> bool:
    """Whether it may stand in our header as it is."""
    shaped = text.startswith("<") and text.endswith(">") and len(text) < 250
    return shaped and text.isascii() and text.isprintable() and " " not in text


def _text(letter: OutboundMail) -> str:
    parts = [letter.text.strip()]
    parts += [f"{label}:\n{address}" for label, address in letter.choices]
    if letter.excerpt:
        parts.append(_BEGINS)
        parts.append("\n".join(f"    {line}" for line in letter.excerpt.splitlines()))
    if letter.closing:
        parts.append(letter.closing.strip())
    return "\n\n".join(parts) + "\n"


def _html(letter: OutboundMail) -> str:
    """For any mail program and either colour scheme: no colour of letters without its ground, and
    buttons that are table cells, as Word, which shows Outlook's mail, pads nothing else."""
    said = "".join(_paragraph(p) for p in letter.text.strip().split("\n\n"))
    links = "".join(
        '<table role="presentation" cellspacing="0" cellpadding="0" style="margin:16px 0"><tr>'
        '<td bgcolor="#1a4480" style="background:#1a4480;border-radius:4px;padding:4px 8px">'
        f'<a href="{_escaped(address)}" style="color:#ffffff;display:inline-block;'
        'font-weight:bold;padding:8px 16px;text-decoration:none">'
        f"{_escaped(label)}</a></td></tr></table>\n"
        for label, address in letter.choices
    )
    excerpt = (
        f"{_paragraph(_BEGINS)}"
        '<pre dir="auto" style="white-space:pre-wrap;overflow-wrap:anywhere;word-break:break-word;'
        "border-left:3px solid #767676;margin:16px 0;padding:4px 12px;font-family:inherit;"
        f'font-size:16px">{_escaped(letter.excerpt)}</pre>\n'
        if letter.excerpt
        else ""
    )
    closing = "".join(_paragraph(p) for p in letter.closing.strip().split("\n\n") if p)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head>'
        '<meta name="viewport" content="width=device-width"></head>\n'
        '<body style="font-family:sans-serif;font-size:16px;line-height:1.5;max-width:640px;'
        'overflow-wrap:break-word">\n'
        f"{said}{links}{excerpt}{closing}</body></html>\n"
    )


def _paragraph(text: str) -> str:
    return f"<p>{_escaped(text).replace(chr(10), '<br>' + chr(10))}</p>\n"


def _escaped(text: str) -> str:
    """As the text part has it: both say the same."""
    return safe_text.html(text, running=True)


def paragraphs(pairs: Sequence[tuple[str, str]]) -> str:
    """ "Subject: …" lines for what a message is, each value on one safe line."""
    return "\n".join(f"{label}: {safe_text.line(value, 300)}" for label, value in pairs if value)
