"""Carrying out edits: from a message and its edits to the octets that leave.

Owns the order of edits, their way back through charset and transfer encoding, and the self-check.
Everything outside the edited spans leaves as it came. Pure. Must not know who proposed an edit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from mailguard.core import charset, mime, read, splice
from mailguard.core.edit import AddField, Edit, RemoveField, ReplaceText
from mailguard.core.message import Field, Message, Part

_NAME = re.compile(r"[!-9;-~]{1,70}")  # RFC 5322 3.6.8
_FOLD_AT = 78
_CHARSET = re.compile(rb"(;\s*charset\s*=\s*)(\"[^\"\r\n]*\"|[^\s;\"()]+)", re.IGNORECASE)
_CONTINUED = re.compile(rb";\s*charset\*", re.IGNORECASE)  # RFC 2231
_WORD = re.compile(rb"\s*([^\s;()]+)")


class RenderError(Exception):
    """An edit cannot be carried out: a defect in our code, never in the message."""


class OverlapError(RenderError):
    """Two edits change the same place."""


def concerning(edits: Sequence[Edit], recipient: str) -> tuple[Edit, ...]:
    """The edits of one recipient's copy, in their order."""
    return tuple(e for e in edits if not e.recipients or recipient in e.recipients)


def render(message: Message, edits: Sequence[Edit]) -> bytes:
    """The message with these edits, all of them; no edits give exactly `message.raw`.

    Raises OverlapError where two edits change one place, RenderError where one cannot be written.
    """
    if not edits:
        return message.raw
    changes: list[splice.Piece] = []
    for path, wanted in _by_part(edits).items():
        changes += _part_changes(message, _part(message, path), wanted)
    for edit in edits:
        if isinstance(edit, RemoveField):
            changes.append((edit.start, edit.end, b""))
    changes.sort(key=lambda piece: piece[:2])
    for before, after in pairwise(changes):
        if after[0] < before[1]:
            raise OverlapError(f"octets {after[0]} to {before[1]} are changed twice")
    added = b"".join(_field(edit) for edit in edits if isinstance(edit, AddField))
    return added + splice.apply(message.raw, changes)


def planned_text(text: str, edits: Sequence[ReplaceText]) -> str:
    """A part's text as it reads after these edits."""
    kept: list[str] = []
    at = 0
    for edit in ordered(edits):
        kept += (text[at : edit.start], edit.replacement)
        at = edit.end
    kept.append(text[at:])
    return "".join(kept)


def ordered(edits: Sequence[ReplaceText]) -> list[ReplaceText]:
    """The edits of one part by place; insertions before a replacement that starts there, then by
    phase, then as given. Raises OverlapError."""
    result = sorted(edits, key=lambda e: (e.start, e.end > e.start, e.phase))
    behind = 0
    for edit in result:
        if not 0 <= edit.start <= edit.end:
            raise RenderError(f"part {edit.part!r}: {edit.start} to {edit.end} is no span")
        if edit.start < behind:
            raise OverlapError(f"part {edit.part!r}: {edit.start} to {behind} is changed twice")
        behind = edit.end
    return result


def verify(original: Message, rendered: bytes, edits: Sequence[Edit]) -> str | None:
    """Read the outcome again and compare it with the plan; what differs in words, or None.

    Structure and untouched parts must be the same octets, edited texts what was planned, and the
    header the old one without removed and with added fields.
    """
    result = mime.parse(rendered)
    wanted = _by_part(edits)
    if [(p.path, p.content_type) for p in original.parts] != [
        (p.path, p.content_type) for p in result.parts
    ]:
        return "the structure of the message changed"
    removed = {(e.start, e.end) for e in edits if isinstance(e, RemoveField)}
    for before, after in zip(original.parts, result.parts, strict=True):
        if before.path in wanted:
            planned = wanted[before.path]
            if before.content_type == "text/html":
                planned = [_in_ascii(edit) for edit in planned]
            text = planned_text(read.text_of(original, before)[0].text, planned)
            if read.text_of(result, after)[0].text != text:
                return f"part {before.path!r} does not read as planned"
            continue
        if not before.children and (
            original.raw[before.body_start : before.end] != rendered[after.body_start : after.end]
        ):
            return f"part {before.path!r} was not to change"
        kept = [
            original.raw[f.start : f.end] for f in before.fields if (f.start, f.end) not in removed
        ]
        have = [rendered[f.start : f.end] for f in after.fields]
        if have[len(have) - len(kept) :] != kept:
            return f"the header of part {before.path!r} was not to change"
    return None


def _by_part(edits: Sequence[Edit]) -> dict[str, list[ReplaceText]]:
    found: dict[str, list[ReplaceText]] = {}
    for edit in edits:
        if isinstance(edit, ReplaceText):
            found.setdefault(edit.part, []).append(edit)
    return found


def _part(message: Message, path: str) -> Part:
    for part in message.parts:
        if part.path == path:
            return part
    raise RenderError(f"there is no part {path!r}")


def _part_changes(message: Message, part: Part, edits: Sequence[ReplaceText]) -> list[splice.Piece]:
    decoded, data = read.text_of(message, part)
    edits = ordered(edits)
    if decoded.obstacle:
        raise RenderError(f"part {part.path!r} cannot be edited: {decoded.obstacle}")
    if edits[-1].end > len(decoded.text):
        raise RenderError(f"part {part.path!r} ends before {edits[-1].end}")
    if part.content_type == "text/html":
        edits = [_in_ascii(edit) for edit in edits]
    body = message.raw[part.body_start : part.end]
    pieces = None if decoded.stateful else _pieces(decoded, data, edits, part)
    written = None if pieces is None else _splice(part.transfer_encoding, body, data, pieces)
    misread = pieces is not None and not _reads_alike(decoded.text, data, edits, pieces, part)
    if written is not None and not misread:
        before, after = _parted(message, part, header_grows=False)
        return [(part.body_start, part.end, before + written + after)]
    return _anew(message, part, planned_text(decoded.text, edits), decoded.codec, misread)


def _reads_alike(
    text: str, data: bytes, edits: Sequence[ReplaceText], pieces: list[splice.Piece], part: Part
) -> bool:
    """Whether what stays is still read by the same charset: where the declared one did not fit, an
    edit may take away the very octets that said so."""
    if all(data[start:end].isascii() for start, end, _ in pieces):
        return True
    left = splice.apply(data, pieces)
    return read.text_in(left, part).text == planned_text(text, edits)


def _in_ascii(edit: ReplaceText) -> ReplaceText:
    """HTML says every character in ASCII, so that no charset stands in the way."""
    if edit.replacement.isascii():
        return edit
    text = edit.replacement.encode("ascii", "xmlcharrefreplace").decode("ascii")
    return ReplaceText(edit.part, edit.start, edit.end, text, edit.phase, edit.recipients)


def _pieces(
    decoded: charset.Decoded, data: bytes, edits: Sequence[ReplaceText], part: Part
) -> list[splice.Piece] | None:
    """The edits in octets of the decoded body; None where the charset cannot write one."""
    single = len(data) == len(decoded.text)
    declared = charset.codec_named(part.charset)
    pieces: list[splice.Piece] = []
    characters = octets = 0
    for edit in edits:
        replacement = charset.encode(edit.replacement, decoded.codec)
        if replacement is None:
            return None
        if not edit.replacement.isascii() and (
            declared is None or charset.encode(edit.replacement, declared) != replacement
        ):
            return None  # the text was not read as declared: what we add would be misread
        places = []
        for place in (edit.start, edit.end):
            if single:
                octets = place
            else:
                step = charset.encode(decoded.text[characters:place], decoded.codec)
                if step is None:
                    return None
                octets += len(step)
            characters = place
            places.append(octets)
        pieces.append((places[0], places[1], replacement))
    return pieces


def _splice(encoding: str, body: bytes, data: bytes, pieces: list[splice.Piece]) -> bytes | None:
    if encoding == "base64":
        return splice.in_base64(body, data, pieces)
    if encoding == "quoted-printable":
        return splice.in_quoted_printable(body, data, pieces)
    if body != data:
        return None
    for _, _, replacement in pieces:
        if encoding != "8bit" and encoding != "binary" and not replacement.isascii():
            return None
    written = splice.apply(data, pieces)
    if b"\x00" in written:
        return None
    if splice.has_line_over(written, splice.LONGEST) and (
        not splice.has_line_over(data, splice.LONGEST)
        or splice.longest_line(written) > splice.longest_line(data)
    ):
        return None
    return written


def _anew(message: Message, part: Part, text: str, codec: str, misread: bool) -> list[splice.Piece]:
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
    before, after = _parted(message, part, header_grows=grows)
    return [*changes, (part.body_start, part.end, before + body + after)]


def _header_end(part: Part) -> int:
    return part.fields[-1].end if part.fields else part.start


def _parted(message: Message, part: Part, *, header_grows: bool) -> tuple[bytes, bytes]:
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
    changes = [_charset_change(message, field, name) for field in types] if name else []
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
    if not part.path and not message.fields("MIME-Version"):
        missing = b"MIME-Version: 1.0\r\n" + missing
    if missing:
        end = _header_end(part)
        if end and message.raw[end - 1 : end] != b"\n":
            missing = b"\r\n" + missing  # the header's last line, or the delimiter's, was cut off
        changes.append((end, end, missing))
    return changes


def _charset_change(message: Message, field: Field, name: bytes) -> splice.Piece:
    value = message.raw[field.value_start : field.end]
    if _CONTINUED.search(value):  # rare: the whole field is written anew
        return (field.value_start, field.end, b" text/plain; charset=" + name + b"\r\n")
    found = _CHARSET.search(value)
    if found:
        return (field.value_start + found.start(2), field.value_start + found.end(2), name)
    end = field.value_start + len(value.rstrip(b" \t\r\n;"))
    return (end, end, b"; charset=" + name)


def _field(edit: AddField) -> bytes:
    """One trace field, folded (RFC 5322 2.2.3)."""
    if not _NAME.fullmatch(edit.name):
        raise RenderError(f"{edit.name!r} is no field name")
    if not edit.value.isascii() or not edit.value.isprintable():
        raise RenderError(f"the value of {edit.name} is not one line of ASCII")
    lines = [f"{edit.name}:"]
    for word in edit.value.split():
        if len(lines[-1]) + 1 + len(word) > _FOLD_AT and len(lines[-1]) > len(edit.name) + 1:
            lines.append("")
        lines[-1] += f" {word}"
    return "\r\n".join(lines).encode("ascii") + b"\r\n"
