"""What DKIM and ARC hash: canonical headers and bodies, and tag lists (RFC 6376 3.2, 3.4).

Owns the octets that are signed. Everything is linear, and the body is taken in pieces, so that a
thread that does it never holds the interpreter for long. Must not know keys, DNS or verdicts.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from mailguard.core.mail import fields
from mailguard.core.mail.message import Field

PIECE: Final = 65_536  # octets canonicalised at once: well under a millisecond
MAX_FIELDS: Final = 2_000  # as a Message has them
# Fields of which a reader shows or obeys one, so that a second one may deceive (RFC 5322 3.6). Not
# MIME-Version, Message-ID and the like, whose repetition misleads nobody.
SINGLETONS: Final = (
    *("from", "sender", "reply-to", "subject", "date", "to", "cc"),
    *("content-type", "content-transfer-encoding", "content-disposition"),
)

_SPACES: Final = re.compile(rb"[ \t]++")
_RUN: Final = re.compile(rb"  ++")
_TAG_NAME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9_]*+")
_WSP: Final = b" \t\r\n"


class Canonical:
    """One message's canonical forms, each made once however many signatures ask for it."""

    def __init__(self, raw: bytes, found: Sequence[Field], body_start: int) -> None:
        self.raw = raw
        self.fields = found
        self._body_start = body_start
        self._relaxed: dict[int, bytes] = {}
        self._body_hashes: dict[bool, bytes] = {}
        self.by_name: dict[bytes, list[int]] = {}
        for index, item in enumerate(found):
            if item.name:
                self.by_name.setdefault(item.name.lower().encode(), []).append(index)

    def value(self, index: int) -> bytes:
        """A field's value as sent."""
        item = self.fields[index]
        return self.raw[item.value_start : item.end]

    def relaxed(self, index: int) -> bytes:
        """A field in relaxed form, CRLF included (RFC 6376 3.4.2)."""
        found = self._relaxed.get(index)
        if found is None:
            item = self.fields[index]
            found = relaxed_field(item.name.encode(), self.value(index)) + b"\r\n"
            self._relaxed[index] = found
        return found

    def header(self, names: Iterable[bytes], *, relaxed: bool) -> Iterator[bytes]:
        """The fields that h= selects: each mention takes the next one from the bottom up; what is
        not there counts as nothing (RFC 6376 5.4.2)."""
        left: dict[bytes, int] = {}
        for name in names:
            indexes = self.by_name.get(name, ())
            remaining = left.get(name, len(indexes))
            if remaining:
                left[name] = remaining - 1
                index = indexes[remaining - 1]
                yield self.relaxed(index) if relaxed else self._simple(index)

    def without_signature(self, index: int, *, relaxed: bool) -> bytes:
        """The signature's own field with an empty b=, without its line end (RFC 6376 3.7)."""
        item = self.fields[index]
        emptied = empty_signature(self.value(index))
        if relaxed:
            return relaxed_field(item.name.encode(), emptied)
        return self.raw[item.start : item.value_start] + emptied.removesuffix(b"\r\n")

    def body_hash(self, *, relaxed: bool) -> bytes:
        """SHA-256 of the canonical body."""
        found = self._body_hashes.get(relaxed)
        if found is None:
            digest = hashlib.sha256()
            pieces = relaxed_body if relaxed else simple_body
            for piece in pieces(self.raw, self._body_start):
                digest.update(piece)
            found = self._body_hashes[relaxed] = digest.digest()
        return found

    def _simple(self, index: int) -> bytes:
        item = self.fields[index]
        octets = self.raw[item.start : item.end]
        return octets if octets.endswith(b"\n") else octets + b"\r\n"


def canonical(raw: bytes) -> Canonical:
    """Read the header of a message; a message that has been parsed needs only `Canonical`."""
    header = fields.scan(raw, 0, len(raw), MAX_FIELDS, is_root=True)
    return Canonical(raw, header.fields, header.body_start)


def relaxed_field(name: bytes, value: bytes) -> bytes:
    """A field in relaxed form, without a line end (RFC 6376 3.4.2)."""
    unfolded = value.replace(b"\r\n", b"")
    return name.lower() + b":" + _SPACES.sub(b" ", unfolded).strip(b" ")


def relaxed_body(raw: bytes, start: int = 0) -> Iterator[bytes]:
    """The relaxed body in pieces (RFC 6376 3.4.4), of octets without a bare CR or LF."""
    end = _without_blank_end(raw, start, _WSP)
    position, held = start, b""
    while position < end:
        stop = min(position + PIECE, end)
        if stop < end:
            line_end = raw.rfind(b"\n", position, stop) + 1
            stop = line_end or stop - raw.endswith(b"\r", position, stop)
        piece = (held + raw[position:stop]).replace(b"\t", b" ")
        if b"  " in piece:
            piece = _RUN.sub(b" ", piece)
        piece = piece.replace(b" \r\n", b"\r\n")
        held = b" " if piece.endswith(b" ") else b""  # may be the end of its line
        yield piece.removesuffix(b" ")
        position = stop
    if end > start:
        yield b"\r\n"


def simple_body(raw: bytes, start: int = 0) -> Iterator[memoryview | bytes]:
    """The simple body in pieces (RFC 6376 3.4.3), of octets without a bare CR or LF."""
    yield memoryview(raw)[start : _without_blank_end(raw, start, b"\r\n")]
    yield b"\r\n"


def _without_blank_end(raw: bytes, start: int, blank: bytes) -> int:
    """Where the body ends when the blank lines at its end are left off."""
    end = len(raw)
    while end > start:
        piece = raw[max(start, end - PIECE) : end]
        kept = piece.rstrip(blank)
        end -= len(piece) - len(kept)
        if kept:
            break
    return end


def has_bare_line_end(raw: bytes) -> bool:
    """Whether a CR or an LF stands on its own: canonical forms are not defined for such octets."""
    position = 0
    while position < len(raw):
        stop = position + PIECE
        stop += raw.startswith(b"\n", stop) and raw.endswith(b"\r", position, stop)
        piece = raw[position:stop]
        pairs = piece.count(b"\r\n")
        if piece.count(b"\n") != pairs or piece.count(b"\r") != pairs:
            return True
        position = stop
    return False


def parse_tags(value: bytes) -> dict[bytes, bytes] | None:
    """A tag list (RFC 6376 3.2), white space around values taken off; None where it is none: a tag
    given twice, an empty one, a name that is none, octets that are not printable ASCII."""
    tags: dict[bytes, bytes] = {}
    specs = value.split(b";")
    if not specs[-1].strip(_WSP):
        specs.pop()  # one semicolon may end the list
    for spec in specs:
        name, equals, content = spec.partition(b"=")
        name = name.strip(_WSP)
        content = content.strip(_WSP)
        if not equals or name in tags or not _TAG_NAME.fullmatch(name) or not _printable(content):
            return None
        tags[name] = content
    return tags


def empty_signature(value: bytes) -> bytes:
    """A tag list's octets with the value of b= and the white space around it left out."""
    specs = value.split(b";")
    for index, spec in enumerate(specs):
        name, equals, _ = spec.partition(b"=")
        if equals and name.strip(_WSP) == b"b":
            specs[index] = name + equals
    return b";".join(specs)


def unspaced(value: bytes) -> bytes:
    """A value without its white space: base64 and lists may be folded anywhere."""
    return value.translate(None, _WSP)


_PRINTABLE: Final = bytes(range(0x20, 0x7F)) + b"\t\r\n"


def _printable(content: bytes) -> bool:
    return not content.translate(None, _PRINTABLE)
