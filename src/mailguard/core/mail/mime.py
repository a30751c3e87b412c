"""From raw octets to a Message: entities on spans, nothing copied or altered (RFC 2045, 2046).

Owns the structure: which entity holds which, and the defects of a message. Iterative; linear in
the octets times a bounded depth; never raises. Bodies are searched, never walked line by line.
Must not know charsets, policy, or what anything means to a check.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from mailguard.core.mail import fields, octets, parameters
from mailguard.core.mail import transfer_encoding as transfer
from mailguard.core.mail.defects import MESSAGE_DEFECTS, DefectKind
from mailguard.core.mail.message import Defect, Field, Message, Part

__all__ = ["DEFAULT", "DEFECTS", "ParseLimits", "decoded_body", "head", "parse"]

DEFECTS: Final[dict[str, DefectKind]] = MESSAGE_DEFECTS


@dataclass(frozen=True, slots=True)
class ParseLimits:
    """Bounds on the work; past one the rest is left as an opaque body, with a defect."""

    parts: int = 2_000
    depth: int = 100
    fields: int = 2_000  # of one entity
    all_fields: int = 20_000
    defects: int = 200  # none: the structure alone is asked for, and no octet is judged
    searched: int = 67_108_864  # octets searched for boundaries, or sixteen times the message


DEFAULT: Final = ParseLimits()

_TYPE: Final = re.compile(r"[!-.0-~]++/[!-.0-~]++")
_BOUNDARY: Final = re.compile(rb"[!-~](?:[ -~]{0,68}[!-~])?")  # RFC 2046 5.1.1, its signs widened
_MESSAGES: Final = ("message/rfc822", "message/global")


@dataclass(slots=True)
class _Entity:
    """An entity being read; `cursor` is where its next child begins."""

    path: str
    start: int
    body_start: int
    end: int
    fields: tuple[Field, ...]
    content_type: str
    parameters: dict[str, str]
    disposition: str
    filenames: tuple[str, ...]
    transfer_encoding: str
    boundary: bytes = b""
    cursor: int = -1  # -1: has no more children
    children: list[Part] = field(default_factory=list)

    def finish(self) -> Part:
        return Part(
            self.path,
            self.start,
            self.body_start,
            self.end,
            self.fields,
            self.content_type,
            self.parameters,
            self.disposition,
            self.filenames,
            self.transfer_encoding,
            tuple(self.children),
        )


def parse(raw: bytes, limits: ParseLimits = DEFAULT) -> Message:
    """Read a message. Never raises: what is wrong is among the message's defects."""
    return _Scanner(raw, limits).scan()


def decoded_body(message: Message, part: Part) -> tuple[bytes, tuple[str, ...]]:
    """The part's body without its transfer encoding, and codes of `DEFECTS` for what was odd."""
    body = octets.span(message.raw, part.body_start, part.end)
    encoding = part.transfer_encoding
    return transfer.decode(body, encoding), transfer.defects_of(body, encoding)


def head(message: Message, part: Part, n: int) -> bytes:
    """The first `n` octets of what `decoded_body` gives, cheaply however long the body is."""
    body = memoryview(message.raw)[part.body_start : part.end]
    return transfer.head(body, part.transfer_encoding, n)


class _Scanner:
    """One pass from the outermost entity inwards; a child is looked for within its parent only."""

    def __init__(self, raw: bytes, limits: ParseLimits) -> None:
        self.raw = raw
        self.limits = limits
        self.defects: dict[tuple[str, str], Defect] = {}
        self.parts = 0
        self.fields_left = limits.all_fields
        self.searchable = max(limits.searched, 16 * len(raw))
        self.odd_lines = 0
        self.odd: list[tuple[bytes, str]] = []  # lines that begin like a boundary but go on
        self.boundaries: set[bytes] = set()

    def note(self, code: str, where: str, detail: str = "") -> None:
        if len(self.defects) < self.limits.defects:
            found = Defect(code, where, detail[:200], DEFECTS[code].ambiguous)
            self.defects.setdefault((code, where), found)
        elif len(self.defects) == self.limits.defects:
            self.defects["defects-too-many", ""] = Defect(
                "defects-too-many", "header", "", DEFECTS["defects-too-many"].ambiguous
            )

    def scan(self) -> Message:
        if self.limits.defects:
            self._look_over()
        stack = [self._enter("", 0, len(self.raw), "text/plain", 0)]
        open_boundaries = {stack[0].boundary: 1}
        while True:
            top = stack[-1]
            if top.cursor >= 0:
                child = self._next_child(top, len(stack), open_boundaries)
                if child is None:
                    continue
                if child.cursor >= 0:
                    stack.append(child)
                    open_boundaries[child.boundary] = open_boundaries.get(child.boundary, 0) + 1
                else:
                    top.children.append(child.finish())
                continue
            part = stack.pop().finish()
            open_boundaries[top.boundary] -= 1
            if not stack:
                break
            stack[-1].children.append(part)
        for line, where in self.odd:
            if line not in self.boundaries and line.removesuffix(b"--") not in self.boundaries:
                self.note("boundary-with-text", where)
        return Message(self.raw, part, tuple(self.defects.values()))

    def _look_over(self) -> None:
        """What concerns the octets as a whole."""
        raw = self.raw
        whole, feeds, returns = (octets.count(raw, end) for end in (b"\r\n", b"\n", b"\r"))
        if feeds > whole and not returns:
            self.note("line-ends-lf", "header")
        elif feeds > whole or returns > whole:
            self.note("bare-line-end", "header")
        if b"\0" in raw:
            self.note("nul", "header")

    def _enter(self, path: str, start: int, end: int, default: str, depth: int) -> _Entity:
        """Read an entity's header and decide whether it has children."""
        raw = self.raw
        self.parts += 1
        most = max(min(self.limits.fields, self.fields_left), 0)
        header = fields.scan(raw, start, end, most, is_root=not path)
        self.fields_left -= len(header.fields)
        where = path or "header"
        for code, detail in header.defects:
            self.note(code, where, detail)
        content_type, disposition, encoding = default, parameters.EMPTY, "7bit"
        typed = parameters.EMPTY
        names = header.names
        if "content-type" in names:
            typed = self._value(header, "content-type", where)
            if _TYPE.fullmatch(typed.token):
                content_type = typed.token
            else:
                self.note("content-type-invalid", where, typed.token)
                content_type = "text/plain"  # RFC 2045 5.2
        if "content-disposition" in names:
            disposition = self._value(header, "content-disposition", where)
        if "content-transfer-encoding" in names:
            encoding = self._value(header, "content-transfer-encoding", where).token
            if encoding not in transfer.ENCODINGS:
                self.note("transfer-encoding-unknown", where, encoding)
        entity = _Entity(
            path,
            start,
            header.body_start,
            end,
            header.fields,
            content_type,
            typed.parameters,
            disposition.token,
            parameters.filenames(disposition, typed),
            encoding or "7bit",
        )
        self._open(entity, typed, depth, where)
        return entity

    def _value(self, header: fields.Header, name: str, where: str) -> parameters.Value:
        item = header.fields[header.names.index(name)]
        value = parameters.parse(self.raw[item.value_start : item.end])
        for code in value.defects:
            self.note(code, where, name)
        return value

    def _open(self, entity: _Entity, typed: parameters.Value, depth: int, where: str) -> None:
        """Set the cursor of what has children; note what is wrong with what has not."""
        kind = entity.content_type
        encoded = entity.transfer_encoding not in transfer.IDENTITY
        if kind.startswith("multipart/"):
            if encoded:
                self.note("composite-encoded", where, entity.transfer_encoding)
            if not typed.boundary:
                self.note("boundary-missing", where)
                return
            if not _BOUNDARY.fullmatch(typed.boundary):
                self.note("boundary-invalid", where)
        elif kind in _MESSAGES:
            if encoded:
                self.note("composite-encoded", where, entity.transfer_encoding)
                return
        else:
            if kind == "message/partial":
                self.note("message-partial", where)
            if encoded and self.limits.defects:
                body = octets.span(self.raw, entity.body_start, entity.end)
                for code in transfer.defects_of(body, entity.transfer_encoding):
                    self.note(code, where)
            return
        if depth >= self.limits.depth:
            self.note("too-deep", where)
            return
        entity.cursor = entity.body_start
        if kind not in _MESSAGES:
            self.searchable -= entity.end - entity.body_start
            if self.searchable < 0:
                self.note("too-deep", where)
                entity.cursor = -1
                return
            entity.boundary = typed.boundary
            self.boundaries.add(entity.boundary)
            self._begin_multipart(entity, where)

    def _begin_multipart(self, entity: _Entity, where: str) -> None:
        found = self._delimiter(entity, entity.body_start, where)
        if found is None:
            self.note("multipart-without-parts", where)
            entity.cursor = -1
            return
        self._check_outside(entity.body_start, found[0], "preamble", where)
        entity.cursor = -1 if found[2] else found[1]
        if found[2]:
            self.note("multipart-without-parts", where)

    def _next_child(self, top: _Entity, depth: int, opened: dict[bytes, int]) -> _Entity | None:
        start = top.cursor
        where = top.path or "header"
        if self.parts >= self.limits.parts:
            self.note("parts-too-many", where)
            top.cursor = -1
            return None
        number = len(top.children) + 1
        path = f"{top.path}.{number}" if top.path else str(number)
        if not top.boundary:  # a message in a message
            top.cursor = -1
            child = self._enter(path, start, top.end, "text/plain", depth)
        else:
            found = self._delimiter(top, start, where)
            if found is None:
                self.note("multipart-unclosed", where)
                top.cursor, end = -1, top.end
            else:
                end = found[0]
                top.cursor = -1 if found[2] else found[1]
                if found[2]:
                    self._check_epilogue(top, found[1], where)
            default = "message/rfc822" if top.content_type == "multipart/digest" else "text/plain"
            child = self._enter(path, start, end, default, depth)
        if child.boundary and opened.get(child.boundary):
            self.note("boundary-duplicated", child.path)
        return child

    def _delimiter(self, top: _Entity, start: int, where: str) -> tuple[int, int, bool] | None:
        """The next delimiter line: (where the body before it ends, past the line, whether last).

        The line is the boundary and nothing but white space or "--" after it (RFC 2046 5.1.1).
        """
        raw, end = self.raw, top.end
        needle = b"\n--" + top.boundary
        position = start - 1  # the line end before an entity belongs to a delimiter too
        while True:
            at = octets.find(raw, needle, position, end)
            if at < 0:
                return None
            line_end = raw.find(b"\n", at + len(needle), end)
            line_end = end if line_end < 0 else line_end + 1
            rest = raw[at + len(needle) : min(line_end, at + len(needle) + 1_000)].rstrip(
                b" \t\r\n"
            )
            if rest in (b"", b"--"):
                before = at - 1 if at > start and raw[at - 1] == 0x0D else at
                return max(before, start), line_end, rest == b"--"
            self.odd_lines += 1
            if len(self.odd) < 100:
                self.odd.append((top.boundary + rest, where))
            if self.odd_lines > 20 * self.limits.parts:
                self.note("parts-too-many", where)
                return None
            position = line_end - 1

    def _check_epilogue(self, top: _Entity, start: int, where: str) -> None:
        if octets.find(self.raw, b"\n--" + top.boundary, start - 1, top.end) >= 0:
            self.note("epilogue-with-part", where)
        self._check_outside(start, top.end, "epilogue", where)

    def _check_outside(self, start: int, end: int, name: str, where: str) -> None:
        """A preamble or an epilogue: not shown by most readers, so it ought to hold nothing."""
        if end <= start:
            return
        if any(piece.strip(b" \t\r\n") for piece in octets.steps(self.raw, start, end)):
            self.note(f"{name}-text", where)
            lowered = b"".join([piece.lower() for piece in octets.steps(self.raw, start, end)])
            if lowered.startswith(b"content-") or octets.holds(lowered, b"\ncontent-"):
                self.note(f"{name}-with-part", where)
