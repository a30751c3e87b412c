"""Replacing decoded octets of a body while every octet around them stays (RFC 2045 6.7, 6.8).

Owns the way from decoded offsets back to encoded ones, one function an encoding. Each gives None
where the body is not written as its encoding says; the caller then writes it anew.
Must not know charsets, parts or what is replaced. `pieces` are sorted and do not overlap.
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator, Sequence

from mailguard.core.mail import octets

Piece = tuple[int, int, bytes]  # decoded start and end, and what stands there instead

LINE = 76  # RFC 2045 6.7 (5) and 6.8: characters of an encoded line
LONGEST = 998  # RFC 5322 2.1.1: octets of any line
_ESCAPE = re.compile(rb"=[0-9A-Fa-f]{2}")
_UNSAFE = re.compile(rb"[^\t\x20-\x3c\x3e-\x7e]")
_SOFT_BREAK = re.compile(rb"=\r?\n\Z|=\Z")
# What goes into one line before a soft break: 75 octets, or less where an escape would be cut.
_CUT = re.compile(rb".{73}(?:[^=][^=](?=.)|[^=](?==..)|(?==..))", re.DOTALL)
_SAFE = b"\t" + bytes(set(range(0x20, 0x7F)) - {0x3D})
_EQUALS, _RETURN = 0x3D, 0x0D
_FEW = 4  # different octets, each replaced by itself


def apply(data: bytes, pieces: Sequence[Piece]) -> bytes:
    """The data with the pieces in place."""
    kept: list[bytes] = []
    at = 0
    for start, end, replacement in pieces:
        kept += (*octets.steps(data, at, start), replacement)
        at = end
    kept += octets.steps(data, at)
    return b"".join(kept)


def longest_line(data: bytes) -> int:
    """Octets of the longest line, line ends excluded."""
    return max(map(len, data.replace(b"\r\n", b"\n").split(b"\n")))


def has_line_over(data: bytes, limit: int) -> bool:
    """Whether some line, its end excluded, has more octets: one search in each stretch of them."""
    start = 0
    while len(data) - start > limit:
        end = data.rfind(b"\n", start, start + limit + 2)
        if end < 0:
            return True
        if end == start + limit + 1 and data[end - 1] != _RETURN and b"\n" not in data[start:end]:
            return True
        start = end + 1
    return False


def in_base64(body: bytes, data: bytes, pieces: Sequence[Piece]) -> bytes | None:
    """The body encoded again in lines of the same length; those before the first piece come out
    the same."""
    content = body.rstrip(b" \t\r\n")
    first, _, more = content.partition(b"\n")
    ending = b"\r\n" if first.endswith(b"\r") or not more else b"\n"
    width = len(first.rstrip(b"\r"))
    if not width or width % 4 or to_base64(data, width, ending) != content:
        return None
    width = width if more and width <= LONGEST else LINE
    return to_base64(apply(data, pieces), width, ending) + body[len(content) :]


def to_base64(data: bytes, width: int = LINE, ending: bytes = b"\r\n") -> bytes:
    """Lines of base64 without a line end after the last."""
    text = b"".join([binascii.b2a_base64(piece, newline=False) for piece in _threes(data)])
    return ending.join(text[at : at + width] for at in range(0, len(text), width))


def _threes(data: bytes) -> Iterator[bytes]:
    step = octets.STEP // 3 * 3
    for at in range(0, len(data), step):
        yield data[at : at + step]


def in_quoted_printable(body: bytes, data: bytes, pieces: Sequence[Piece]) -> bytes | None:
    """Only the pieces are encoded; a soft line break goes before and after them as needed."""
    spans = _encoded_spans(body, data, [offset for piece in pieces for offset in piece[:2]])
    if spans is None:
        return None
    kept: list[bytes] = []
    at = 0
    for number, (_, _, replacement) in enumerate(pieces):
        start, end = spans[2 * number], spans[2 * number + 1]
        kept.append(body[at:start])
        line_end = body.find(b"\n", end)
        rest = body[end : line_end if line_end >= 0 else len(body)].rstrip(b"\r")
        kept.append(to_quoted_printable(replacement, _column(kept), not rest))
        if len(rest.rstrip(b"=")) and _column(kept) + len(rest) > LINE:
            kept.append(b"=\r\n")
        at = end
    kept.append(body[at:])
    return b"".join(kept)


def _column(kept: list[bytes]) -> int:
    length = 0
    for chunk in reversed(kept):
        at = chunk.rfind(b"\n")
        if at >= 0:
            return length + len(chunk) - at - 1
        length += len(chunk)
    return length


def _encoded_spans(body: bytes, data: bytes, offsets: list[int]) -> list[int] | None:
    """Where decoded offsets stand in a quoted-printable body; one pass, line by line.

    None where decoding line by line does not give `data`: then an offset would be a guess.
    """
    found: list[int] = []
    wanted = iter(offsets)
    offset = next(wanted, None)
    decoded_at = raw_at = 0
    if octets.count(body, b"\r") != octets.count(body, b"\r\n"):
        return None
    for line in octets.lines(body):
        decoded = binascii.a2b_qp(line)
        line_end = decoded_at + len(decoded)
        if data[decoded_at:line_end] != decoded:
            return None
        if offset is not None and offset < line_end:
            escapes = [m.start() for m in _ESCAPE.finditer(line)]
            bare = len(_SOFT_BREAK.sub(b"", line)) - 2 * len(escapes)
            if bare != len(decoded) or b"==" in line:
                return None  # no proper escapes, which decoders read in their own ways
            passed = 0  # escapes in front of the offset, each two octets longer than what it means
            while offset is not None and offset < line_end:
                inner = offset - decoded_at
                while passed < len(escapes) and escapes[passed] - 2 * passed < inner:
                    passed += 1
                found.append(raw_at + inner + 2 * passed)
                offset = next(wanted, None)
        decoded_at = line_end
        raw_at += len(line)
    if decoded_at != len(data):
        return None
    if offset is not None and body.rstrip(b" \t").endswith(b"="):
        return None  # a soft line break that was cut off would swallow what is added
    while offset is not None:
        found.append(len(body))
        offset = next(wanted, None)
    return found


def to_quoted_printable(data: bytes, column: int = 0, ends_line: bool = True) -> bytes:
    """Encode text for a line that already has `column` characters. CRLF stays a line end.

    `ends_line`: a line end or nothing follows, so white space at the end is encoded too.
    """
    out: list[bytes] = []
    rows = data.split(b"\r\n")
    for number, row in enumerate(rows):
        safe = _escaped(row)
        if safe.endswith((b" ", b"\t")) and (number < len(rows) - 1 or ends_line):
            safe = b"%s=%02X" % (safe[:-1], safe[-1])
        if number:
            out.append(b"\r\n")
            column = 0
        out.append(_soft(safe, column))
    return b"".join(out)


def _escaped(row: bytes) -> bytes:
    unsafe = set(row.translate(None, _SAFE))
    if len(unsafe) > _FEW:
        return _UNSAFE.sub(lambda m: b"=%02X" % m[0][0], row)
    # Most rows have no such octet but "=", which comes first: escapes are made of it.
    for octet in sorted(unsafe, key=lambda octet: octet != _EQUALS):
        row = row.replace(bytes((octet,)), b"=%02X" % octet)
    return row


def _soft(line: bytes, column: int) -> bytes:
    """One encoded line cut by soft breaks, never within an escape."""
    cuts: list[bytes] = []
    at = 0
    room = LINE - 1 - column
    if column and len(line) > room:
        if room > 2:
            at = room
            if line[at - 1] == _EQUALS:
                at -= 1
            elif line[at - 2] == _EQUALS:
                at -= 2
        cuts.append(line[:at])
    whole = _CUT.findall(line, at)
    cuts += whole
    cuts.append(line[at + sum(map(len, whole)) :])
    return b"=\r\n".join(cuts)
