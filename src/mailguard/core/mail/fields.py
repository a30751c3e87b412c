"""A header as fields on spans of the octets (RFC 5322 2.2).

Owns where a header ends and where its fields are. Linear, never raises; the spans of the fields
tile the header, lines that are no field included (their name is ""). Must not know values.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from mailguard.core.mail import octets
from mailguard.core.mail.message import Field

MAX_LINE: Final = 998  # RFC 5322 2.1.1, without the line end

# A field with its folds, or a line that is none; possessive, so never going back.
_FIELD: Final = re.compile(rb"(?:([!-9;-~]++):)?+[^\n]*+(?:\n[ \t][^\n]*+)*+\n?+")
_LENIENT: Final = re.compile(rb"([^:\n]*+)(:?+)")
_NAME: Final = re.compile(rb"[!-9;-~]++")
_BLANK_FOLD: Final = re.compile(rb"\n[ \t]++\r?(?:\n|\Z)")
# Fields of which a message has at most one (RFC 5322 3.6, RFC 2045 3).
_SINGLE: Final = frozenset(
    {
        *("from", "sender", "reply-to", "subject", "date", "to", "cc", "message-id"),
        *("mime-version", "content-type", "content-transfer-encoding", "content-disposition"),
        *("content-id", "content-description"),
    }
)


@dataclass(frozen=True, slots=True)
class Header:
    """What was found; `names` are the fields' in lower case, the same index."""

    fields: tuple[Field, ...]
    names: tuple[str, ...]
    end: int  # one past the last field
    body_start: int  # past the blank line
    defects: tuple[tuple[str, str], ...]  # (code, detail)


def scan(raw: bytes, start: int, limit: int, most: int, *, is_root: bool = False) -> Header:
    """Read the header of the entity `raw[start:limit]`, at most `most` fields of it."""
    end, body_start = _extent(raw, start, limit)
    fields: list[Field] = []
    names: list[str] = []
    defects: dict[str, str] = {}
    any_field = False
    for match in _FIELD.finditer(raw, start, end):
        position, stop = match.span()
        if position == stop:
            break
        if len(fields) >= most:
            defects["fields-too-many"] = ""
            return Header(tuple(fields), tuple(names), position, position, tuple(defects.items()))
        written = match[1]
        if written is not None:
            name = written.decode("ascii")
            fields.append(Field(name, position, position + len(written) + 1, stop))
            any_field = True
        else:
            name, value_start = _odd_name(match[0], is_root and position == start, defects)
            any_field = any_field or bool(name)
            fields.append(Field(name, position, position + value_start, stop))
        names.append(name.lower())
        if stop - position > MAX_LINE and any(
            len(line) > MAX_LINE + 1 for line in raw[position:stop].split(b"\n")
        ):
            defects["header-line-too-long"] = name
    if fields and not any_field:  # text where a header should be: a body without one
        return Header((), (), start, start, (("header-missing", ""),))
    _look_over(raw, start, end, names, defects)
    return Header(tuple(fields), tuple(names), end, body_start, tuple(defects.items()))


def _extent(raw: bytes, start: int, limit: int) -> tuple[int, int]:
    """(end of the header, start of the body): the first blank line parts them."""
    if raw.startswith(b"\r\n", start, limit):
        return start, start + 2
    if raw.startswith(b"\n", start, limit):
        return start, start + 1
    crlf = octets.find(raw, b"\n\r\n", start, limit)
    bare = octets.find(raw, b"\n\n", start, crlf + 1 if crlf >= 0 else limit)
    if bare >= 0:
        return bare + 1, bare + 2
    if crlf >= 0:
        return crlf + 1, crlf + 3
    return limit, limit


def _odd_name(line: bytes, first: bool, defects: dict[str, str]) -> tuple[str, int]:
    """(name, where the value starts) of what is not quite a field; ("", 0) where it is none."""
    match = _LENIENT.match(line)
    name = match[1].rstrip(b" \t") if match is not None and match[2] else b""
    if match is not None and _NAME.fullmatch(name):
        defects["space-before-colon"] = name.decode("ascii")
        return name.decode("ascii"), match.end()
    if first and line.startswith((b"From ", b">From ")):
        defects["mbox-from-line"] = ""
    else:
        defects["field-name-invalid" if name else "field-without-colon"] = ""
    return "", 0


def _look_over(raw: bytes, start: int, end: int, names: list[str], defects: dict[str, str]) -> None:
    """What concerns the header as a whole."""
    if len(set(names)) < len(names):
        seen: set[str] = set()
        repeated: dict[str, None] = {}
        for name in names:
            if name in seen and name in _SINGLE:
                repeated[name] = None
            seen.add(name)
        if repeated:
            defects["field-duplicated"] = ", ".join(repeated)
    octets = raw[start:end]
    if b"\0" in octets:
        defects["header-nul"] = ""
    if not octets.isascii():
        try:
            octets.decode("utf-8")
        except UnicodeDecodeError:
            defects["header-not-utf8"] = ""
    if (b"\n " in octets or b"\n\t" in octets) and _BLANK_FOLD.search(octets):
        defects["header-blank-fold"] = ""
