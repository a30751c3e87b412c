"""A text written anew in an encoding that carries any character, and its header that says so.

Owns the charset and transfer encoding of a rewritten part, the fields that name them, and what else
of its header stays. Must not know what was edited in the text.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from mailguard.core.mail import charset
from mailguard.core.mail.message import Field, Message, Part
from mailguard.core.render import splice

_CHARSET = re.compile(
    rb";\s*charset(\*[^\s=;]{0,9})?\s*=\s*(\"[^\"\r\n]*\"|[^\s;\"()]+)", re.IGNORECASE
)
_WORD = re.compile(rb"\s*([^\s;()]+)")
_HOW_WRITTEN = frozenset(("content-type", "content-transfer-encoding", "mime-version"))


def anew(message: Message, part: Part, text: str, codec: str, misread: bool) -> list[splice.Piece]:
    """Write one part's body anew in an encoding that carries any text; its header says so.

    `misread`: in UTF-8 whatever was declared, since the declaration would not give this text."""
    declared = charset.codec_named(part.charset)
    data = charset.encode(text, codec)
    name: bytes | None = None
    if data is None or codec != declared or misread:
        data, name = text.encode("utf-8", "replace"), b"utf-8"
    if part.content_type == "text/html" and not misread:
        # A <meta> may name the charset too, so it stays.
        kept = charset.encode(text, codec)
        if kept is not None:
            data, name = kept, None
    wide = codec.startswith(("utf-16", "utf-32")) and not misread
    lines = part.transfer_encoding != "base64" and not wide
    if lines:
        encoding, body = b"quoted-printable", splice.to_quoted_printable(data)
    else:
        encoding, body = b"base64", splice.to_base64(data)
        body += b"\r\n" if message.raw[part.body_start : part.end].endswith(b"\n") else b""
    changes = _header_changes(message, part, name, encoding)
    end = _header_end(part)
    grows = any(change[:2] == (end, end) for change in changes)
    before, after = parted(message, part, header_grows=grows)
    return [*changes, (part.body_start, part.end, before + body + after)]


def _header_end(part: Part) -> int:
    return part.fields[-1].end if part.fields else part.start


def parted(message: Message, part: Part, *, header_grows: bool) -> tuple[bytes, bytes]:
    """The line ends that a body which was not there needs around it: the blank line after a
    header that had none, and the one that an empty part shares with two delimiters."""
    raw, end = message.raw, _header_end(part)
    empty = part.body_start == part.end
    before = b""
    if end == part.body_start and (empty or (header_grows and not part.fields)):
        ended = header_grows or not end or raw[end - 1 : end] == b"\n"
        before = b"\r\n" if ended else b"\r\n\r\n"
    shared = empty and part.path and raw.startswith(b"--", part.end)
    return before, b"\r\n" if shared else b""


def _header_changes(
    message: Message, part: Part, name: bytes | None, encoding: bytes
) -> list[splice.Piece]:
    """Edits of Content-Type and Content-Transfer-Encoding, and of nothing else."""
    missing = b""
    types = [f for f in part.fields if f.name.lower() == "content-type"]
    changes = [c for field in types for c in _charset_changes(message, field, name)] if name else []
    if name and not types:
        missing += b"Content-Type: text/plain; charset=" + name + b"\r\n"
    encodings = [f for f in part.fields if f.name.lower() == "content-transfer-encoding"]
    for field in encodings:
        found = _WORD.match(message.raw, field.value_start, field.end)
        if found is None:
            changes.append((field.value_start, field.value_start, b" " + encoding))
        elif found[1].lower() != encoding:
            changes.append((found.start(1), found.end(1), encoding))
    if not encodings:
        missing += b"Content-Transfer-Encoding: " + encoding + b"\r\n"
    if _is_message(message, part) and all(f.name.lower() != "mime-version" for f in part.fields):
        missing = b"MIME-Version: 1.0\r\n" + missing
    if missing:
        end = _header_end(part)
        if end and message.raw[end - 1 : end] != b"\n":
            missing = b"\r\n" + missing  # the header's last line, or the delimiter's, was cut off
        changes.append((end, end, missing))
    return changes


def _is_message(message: Message, part: Part) -> bool:
    """Whether the part is the outermost of a message, which says MIME-Version (RFC 2045 4)."""
    above = part.path.rpartition(".")[0]
    return not part.path or any(one.path == above and not one.is_multipart for one in message.parts)


def _charset_changes(message: Message, field: Field, name: bytes) -> list[splice.Piece]:
    found = list(_CHARSET.finditer(message.raw, field.value_start, field.end))
    if any(one[1] for one in found):  # RFC 2231 3, 4.1: in pieces or with a language; now in one
        first = found[0]
        return [
            (first.start(), first.end(), b"; charset=" + name),
            *((one.start(), one.end(), b"") for one in found[1:]),
        ]
    if found:
        return [(found[0].start(2), found[0].end(2), name)]
    end = field.value_start + len(message.raw[field.value_start : field.end].rstrip(b" \t\r\n;"))
    return [(end, end, b"; charset=" + name)]


def kept_fields(
    raw: bytes, part: Part, removed: Collection[tuple[int, int]], *, edited: bool
) -> list[bytes]:
    """The fields of a part that stay to the octet: all, or of an edited one all but those that say
    how its text is written."""
    fields = [f for f in part.fields if (f.start, f.end) not in removed]
    if not edited:
        return [raw[f.start : f.end] for f in fields]
    # The last one may have been cut off before its line end, and may now have one.
    return [
        raw[f.start : f.end].rstrip(b"\r\n") for f in fields if f.name.lower() not in _HOW_WRITTEN
    ]


def described(part: Part) -> tuple[str, dict[str, str], str, tuple[str, ...]]:
    """What a part's header says of it that an edit must not change."""
    parameters = {name: value for name, value in part.parameters.items() if name != "charset"}
    return part.content_type, parameters, part.disposition, part.filenames
