"""From a message to its Reading: which texts a client shows, in whose words, with which links.

Owns the choice of body parts and the budgets. Pure: the same bytes give the same Reading.
Must not know policy, nor how edits are written back.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mailguard.core.files import scan
from mailguard.core.mail import charset, octets, transfer_encoding
from mailguard.core.mail.message import Message, Part
from mailguard.core.text import html, hyperlinks, plain_text, quoted_html
from mailguard.core.text.reading import Reading, TextPart

IDENTITY = ("7bit", "8bit", "binary", "")
ENCODINGS = (*IDENTITY, "quoted-printable", "base64")
_SEALED = {  # content types that an edit would break (R8, R12), and in which word
    "multipart/signed": "signed",
    "multipart/encrypted": "encrypted",
    "multipart/report": "report",
    "application/pkcs7-mime": "signed or encrypted",
    "application/x-pkcs7-mime": "signed or encrypted",
    "application/pgp-encrypted": "encrypted",
    "text/calendar": "calendar",
    "message/rfc822": "attached message",
}
_NOT_A_BODY = frozenset(("encrypted", "signed or encrypted", "calendar"))
_MESSAGES = ("message/rfc822", "message/global")
_PGP = {  # RFC 9580 6.2, in the text itself
    "-----BEGIN PGP SIGNED MESSAGE-----": "signed",
    "-----BEGIN PGP MESSAGE-----": "encrypted",
}


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """Budgets of one reading."""

    texts: int = 50
    octets: int = 8_388_608  # of decoded text altogether
    links: int = 5_000  # in one text
    files: scan.ScanLimits = scan.DEFAULT


DEFAULT = ReadingLimits()
LIGHT = ReadingLimits(files=scan.LIGHT)  # what may be done without a worker


def read(message: Message, limits: ReadingLimits = DEFAULT) -> Reading:
    """Find and read the body texts of a message. Never raises on what a message contains."""
    reader = _Reader(message, limits)
    parts, messages = body_parts(message.root)
    texts = reader.read(parts)
    untouchable = _SEALED.get(message.root.content_type, "") or _pgp(texts)
    truncated, reader.truncated = reader.truncated, False
    nested = tuple(reader.nested(messages))
    files, cut = scan.look(message, limits.files)
    return Reading(
        tuple(texts), untouchable, truncated, files, cut, nested, nested_truncated=reader.truncated
    )


class _Reader:
    """The budgets of one reading, and what is left of them."""

    def __init__(self, message: Message, limits: ReadingLimits) -> None:
        self.message = message
        self.limits = limits
        self.octets = limits.octets
        self.texts = limits.texts
        self.truncated = False

    def read(self, parts: list[tuple[Part, str]]) -> list[TextPart]:
        """The texts of these parts, as far as the budgets go."""
        found: list[TextPart] = []
        for part, obstacle in parts:
            if not self.texts or part.end - part.body_start > 2 * self.octets:
                self.truncated = True
                break
            text, size, more = _read_text(self.message, part, obstacle, self.limits)
            self.octets -= size
            if self.octets < 0:
                self.truncated = True
                break
            self.truncated = self.truncated or more
            self.texts -= 1
            found.append(text)
        return found

    def nested(self, messages: list[tuple[Part, str]]) -> Iterator[TextPart]:
        """The texts of attached messages, and of those that are attached to these."""
        waiting = list(messages)
        for root, obstacle in waiting:
            if self.truncated:
                return
            parts, within = body_parts(root, obstacle)
            texts = self.read(parts)
            signed = _pgp(texts)
            if signed:
                texts = [replace(text, editable=False, obstacle=signed) for text in texts]
            yield from texts
            waiting += within


def _pgp(texts: list[TextPart]) -> str:
    """In which word PGP seals a text among these; "" where it does not."""
    armoured = [text.text for text in texts if "-----BEGIN PGP" in text.text]
    return next((word for text in armoured for mark, word in _PGP.items() if mark in text), "")


def body_parts(
    root: Part, obstacle: str = ""
) -> tuple[list[tuple[Part, str]], list[tuple[Part, str]]]:
    """The parts a client shows as a message's body, in order, and the messages attached to it;
    each with why it may not be edited."""
    found: list[tuple[Part, str]] = []
    messages: list[tuple[Part, str]] = []
    stack = [(root, obstacle)]
    while stack:
        part, obstacle = stack.pop()
        kind = part.content_type
        if kind in _MESSAGES:
            messages += [(child, obstacle) for child in part.children]
            continue
        obstacle = obstacle or _SEALED.get(kind, "")
        if obstacle in _NOT_A_BODY:
            continue
        if part.is_multipart:
            children = part.children
            if kind == "multipart/related":
                children = _root_of_related(part)
            elif kind in ("multipart/signed", "multipart/report"):
                children = children[:1]
            stack.extend((child, obstacle) for child in reversed(children))
        elif kind in ("text/plain", "text/html"):
            if part.disposition not in ("", "inline") or any(part.filenames):
                continue
            found.append((part, obstacle))
    return found, messages


def _root_of_related(part: Part) -> tuple[Part, ...]:
    """RFC 2387 3.2: the first one. A `start` that names another is read as well: clients differ."""
    texts = tuple(
        child
        for child in part.children[1:]
        if part.parameters.get("start")
        and (child.is_multipart or child.content_type == "text/html")
    )
    return part.children[:1] + texts


def text_of(message: Message, part: Part) -> tuple[charset.Decoded, bytes]:
    """The decoded text of a part and the octets it was decoded from. Shared with `render`."""
    body = octets.span(message.raw, part.body_start, part.end)
    data = transfer_encoding.decode(body, part.transfer_encoding)
    decoded = text_in(data, part)
    if part.transfer_encoding not in ENCODINGS:
        decoded = charset.Decoded(decoded.text, decoded.codec, "its transfer encoding is unknown")
    return decoded, data


def text_in(data: bytes, part: Part) -> charset.Decoded:
    """The text of octets that stand in this part."""
    name = part.charset
    if "charset" not in part.parameters and not data.isascii():
        name = "utf-8"
    return charset.decode(data, name)


def _read_text(
    message: Message, part: Part, obstacle: str, limits: ReadingLimits
) -> tuple[TextPart, int, bool]:
    decoded, data = text_of(message, part)
    text = decoded.text
    flowed = part.parameters.get("format", "").lower() == "flowed"
    if part.content_type == "text/html":
        subtype = "html"
        made = html.walk(text)
        visible = made.visible()
        author_end, author_visible, insert_at = quoted_html.author(made, visible)
        links, more = hyperlinks.links(part.path, made, limits.links)
    else:
        subtype = "plain"
        visible = text
        author_end, author_visible, insert_at = plain_text.author(text)
        joined = flowed and part.parameters.get("delsp", "").lower() == "yes"
        links, more = plain_text.links(part.path, text, joined, limits.links)
    why = obstacle or decoded.obstacle
    return (
        TextPart(
            path=part.path,
            subtype=subtype,
            charset=decoded.codec,
            text=text,
            visible=visible,
            author_end=author_end,
            author_visible=author_visible,
            insert_at=insert_at,
            editable=not why,
            obstacle=why,
            flowed=flowed,
            links=links,
        ),
        len(data),
        more,
    )
