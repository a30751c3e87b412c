"""A message as it came, attached to a new one that carries a text of ours (R12).

Owns the form of that new message: its fields, and how it is told from others. Must not know why a
message is not edited instead, nor what the text says.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from mailguard.core.mail import mime, octets
from mailguard.core.mail.message import Field, Message, Part
from mailguard.core.render import splice

# What speaks of the body that is now inside: its form, and signatures over it.
_OF_THE_BODY = frozenset(
    (
        "mime-version",
        "dkim-signature",
        "domainkey-signature",
        "arc-seal",
        "arc-message-signature",
        "arc-authentication-results",
    )
)
_ATTACHED = ("message/rfc822", "message/global")


def wrap(message: Message, inner: bytes, text: str, removed: Collection[tuple[int, int]]) -> bytes:
    """The new message: the fields of `message` but those that speak of its body and the `removed`
    spans, then the text, then `inner`, octet for octet.

    It keeps Message-ID and Date: it says what its author meant to say, so it is the same message
    (RFC 5322 3.6.4), and answers to it find the author's own copy.
    """
    header = b"".join(_ended(message.raw[f.start : f.end]) for f in _kept(message, removed))
    words = "".join(f"{row}\r\n" for row in text.splitlines()).encode("utf-8", "replace")
    charset = b"us-ascii" if words.isascii() else b"utf-8"
    boundary = b"=_mailguard_" + hashlib.sha256(inner).hexdigest()[:32].encode()
    # RFC 2045 6.4: what holds others has no encoding but the widest of theirs.
    wide = b"" if inner.isascii() else b"Content-Transfer-Encoding: 8bit\r\n"
    top = (
        header
        + b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="%s"\r\n' % boundary
        + wide
        + b"\r\n--%s\r\nContent-Type: text/plain; charset=%s\r\n" % (boundary, charset)
        + b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        + splice.to_quoted_printable(words)
        + b"\r\n--%s\r\nContent-Type: message/rfc822\r\n" % boundary
        + wide
        + b"Content-Disposition: inline\r\n\r\n"
    )
    return b"".join((top, inner, b"\r\n--%s--\r\n" % boundary))


def fault(
    message: Message,
    inner: bytes,
    text: str,
    removed: Collection[tuple[int, int]],
    wrapped: bytes,
) -> str | None:
    """Read a wrapped message again; what is not as `wrap` says, in words, or None."""
    result = mime.parse(wrapped)
    parts = result.root.children
    if result.root.content_type != "multipart/mixed" or len(parts) != 2:
        return "the wrapped message is not a text and a message"
    note, attached = parts
    body, _ = mime.decoded_body(result, note)
    if note.content_type != "text/plain" or body.decode("utf-8", "replace").split() != text.split():
        return "the text above the wrapped message is not as planned"
    if attached.content_type not in _ATTACHED or not octets.same(
        wrapped, attached.body_start, attached.end, inner, 0, len(inner)
    ):
        return "the wrapped message is not as it came"
    kept = [_ended(message.raw[f.start : f.end]) for f in _kept(message, removed)]
    have = [wrapped[f.start : f.end] for f in result.root.fields if not _is_of_the_body(f)]
    if have[len(have) - len(kept) :] != kept:
        return "the header above the wrapped message is not as planned"
    return None


def wrapped_part(message: Message) -> Part | None:
    """The message within one that `wrap` made, or None: a text and a message that is the same as
    the outer one by its Message-ID and author."""
    parts = message.root.children
    if message.root.content_type != "multipart/mixed" or len(parts) != 2:
        return None
    if parts[0].content_type != "text/plain" or parts[1].content_type not in _ATTACHED:
        return None
    if not parts[1].children:
        return None
    (inner,) = parts[1].children
    for name in ("message-id", "from"):
        outer = [message.raw_value(f) for f in message.fields(name)]
        own = [message.raw_value(f) for f in inner.fields if f.name.lower() == name]
        if not outer or outer != own:
            return None
    return inner


def is_signed(message: Message, obstacle: str) -> bool:
    """Whether a signature is what keeps this message from being edited: its own, or one inside."""
    kind = message.root.parameters.get("smime-type", "").lower()  # RFC 8551 3.2.2
    return obstacle == "signed" or (obstacle == "signed or encrypted" and kind == "signed-data")


def _kept(message: Message, removed: Collection[tuple[int, int]]) -> list[Field]:
    return [
        item
        for item in message.root.fields
        if (item.start, item.end) not in removed and not _is_of_the_body(item)
    ]


def _is_of_the_body(item: Field) -> bool:
    name = item.name.lower()
    return name.startswith("content-") or name in _OF_THE_BODY


def _ended(field: bytes) -> bytes:
    """A header's last field may have been cut off before its line end."""
    return field if field.endswith(b"\n") else field + b"\r\n"
