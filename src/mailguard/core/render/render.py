"""Carrying out edits: from a message and its edits to the octets that leave.

Owns the order of edits, their way back through charset and transfer encoding, and the self-check.
Everything outside the edited spans leaves as it came. Pure. Must not know who proposed an edit.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from mailguard.core.decision.edit import AddField, Edit, RemoveField, ReplaceText, Wrap
from mailguard.core.mail import charset, mime, octets
from mailguard.core.mail.message import Message, Part
from mailguard.core.render import recoding, splice, wrapping
from mailguard.core.text import reader

_NAME = re.compile(r"[!-9;-~]{1,70}")  # RFC 5322 3.6.8
_FOLD_AT = 78
_STRUCTURE = mime.ParseLimits(defects=0)
_SHOWN = 40  # characters of a replacement in a fault


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
    added = b"".join(_field(edit) for edit in edits if isinstance(edit, AddField))
    text = _wrapping(edits)
    if text:
        return b"".join(
            (added, wrapping.wrap(message, _inner(message, edits), text, _removed(edits)))
        )
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
    return b"".join((added, splice.apply(message.raw, changes)))


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
    last: ReplaceText | None = None
    for edit in result:
        if not 0 <= edit.start <= edit.end:
            raise RenderError(f"{_named(edit)} is of no span")
        if last is not None and edit.start < last.end:
            raise OverlapError(f"{_named(last)} and {_named(edit)}: one place is changed twice")
        last = edit
    return result


def _named(edit: ReplaceText) -> str:
    """An edit in a fault: by its place and the beginning of what it puts there."""
    shown = edit.replacement[:_SHOWN] + ("…" if len(edit.replacement) > _SHOWN else "")
    where = f"characters {edit.start} to {edit.end} of part {edit.part!r}"
    return f"the edit {shown!a} at {where}"


def _wrapping(edits: Sequence[Edit]) -> str:
    return "\n\n".join([edit.text for edit in edits if isinstance(edit, Wrap)])


def _inner(message: Message, edits: Sequence[Edit]) -> bytes:
    """What is wrapped: the message as it came, but for texts that may be edited."""
    return render(message, [edit for edit in edits if isinstance(edit, ReplaceText)])


def _removed(edits: Sequence[Edit]) -> set[tuple[int, int]]:
    return {(edit.start, edit.end) for edit in edits if isinstance(edit, RemoveField)}


def verify(original: Message, rendered: bytes, edits: Sequence[Edit]) -> str | None:
    """Read the outcome again and compare it with the plan; what differs in words, or None.

    Structure and untouched parts must be the same octets, edited texts what was planned, and each
    header the old one, without removed and with added fields; of an edited part's header only its
    charset and transfer encoding may differ.
    """
    text = _wrapping(edits)
    if text:
        inner = _inner(original, edits)
        texts = [edit for edit in edits if isinstance(edit, ReplaceText)]
        wrong = verify(original, inner, texts) if texts else None
        return wrong or wrapping.fault(original, inner, text, _removed(edits), rendered)
    result = mime.parse(rendered, _STRUCTURE)
    wanted = _by_part(edits)
    if len(original.parts) != len(result.parts):
        return "the structure of the message changed"
    removed = _removed(edits)
    for before, after in zip(original.parts, result.parts, strict=True):
        if (before.path, before.content_type) != (after.path, after.content_type):
            return f"the structure of the message changed at part {before.path!r}"
        edited = wanted.get(before.path, ())
        if edited:
            wrong = _misread(original, before, result, after, edited)
            if wrong:
                return wrong
        elif not before.children and not octets.same(
            *(original.raw, before.body_start, before.end),
            *(rendered, after.body_start, after.end),
        ):
            return f"part {before.path!r} was not to change"
        header = original.raw[before.start : before.body_start]
        if header == rendered[after.start : after.body_start] and not removed:
            continue
        kept = recoding.kept_fields(original.raw, before, removed, edited=bool(edited))
        have = recoding.kept_fields(rendered, after, (), edited=bool(edited))
        if have[len(have) - len(kept) :] != kept:
            return f"the header of part {before.path!r} was not to change"
    return None


def _misread(
    original: Message, before: Part, result: Message, after: Part, edits: Sequence[ReplaceText]
) -> str | None:
    """What is wrong with an edited part's text or the description of it."""
    if before.content_type == "text/html":
        edits = [_in_ascii(edit) for edit in edits]
    text = planned_text(reader.text_of(original, before)[0].text, edits)
    have = reader.text_of(result, after)[0].text
    if have != text:
        at = next((n for n, (a, b) in enumerate(zip(have, text, strict=False)) if a != b), None)
        at = min(len(have), len(text)) if at is None else at
        return f"part {before.path!r} does not read as planned: see {_named(_near(edits, at))}"
    if recoding.described(before) != recoding.described(after):
        return f"the description of part {before.path!r} was not to change"
    return None


def _near(edits: Sequence[ReplaceText], at: int) -> ReplaceText:
    """The last edit that begins before a place of the planned text."""
    grown, last = 0, edits[0]
    for edit in ordered(edits):
        if edit.start + grown > at:
            break
        last = edit
        grown += len(edit.replacement) - (edit.end - edit.start)
    return last


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
    decoded, data = reader.text_of(message, part)
    edits = ordered(edits)
    if decoded.obstacle:
        raise RenderError(f"{_named(edits[0])} cannot be made: {decoded.obstacle}")
    if edits[-1].end > len(decoded.text):
        raise RenderError(f"part {part.path!r} ends before {_named(edits[-1])}")
    if part.content_type == "text/html":
        edits = [_in_ascii(edit) for edit in edits]
    body = octets.span(message.raw, part.body_start, part.end)
    pieces = None if decoded.stateful else _pieces(decoded, data, edits, part)
    written = None if pieces is None else _splice(part.transfer_encoding, body, data, pieces)
    misread = pieces is not None and not _reads_alike(decoded.text, data, edits, pieces, part)
    if written is not None and not misread:
        before, after = recoding.parted(message, part, header_grows=False)
        return [(part.body_start, part.end, before + written + after)]
    return recoding.anew(message, part, planned_text(decoded.text, edits), decoded.codec, misread)


def _reads_alike(
    text: str, data: bytes, edits: Sequence[ReplaceText], pieces: list[splice.Piece], part: Part
) -> bool:
    """Whether what stays is still read by the same charset: where the declared one did not fit, an
    edit may take away the very octets that said so."""
    if all(data[start:end].isascii() for start, end, _ in pieces):
        return True
    left = splice.apply(data, pieces)
    return reader.text_in(left, part).text == planned_text(text, edits)


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
