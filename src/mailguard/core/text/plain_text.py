"""Reading a text/plain body: its addresses, where the quote begins, where a disclaimer goes.

Owns the recognition of addresses that clients make clickable in bare text, format=flowed included
(RFC 3676). Everything is linear in the text. Must not know MIME, HTML or policy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailguard.core.text import quote
from mailguard.core.text.reading import Link

# Where an address may begin; what follows is scanned once, so that no text is slow to read.
_START = re.compile(r"https?:[/\\]{1,2}|(?<![\w.@/\\-])www\.", re.IGNORECASE)
_RUN = re.compile(r"[^\s<>\"\u0000-\u001f\u007f-\u009f\uff5c\u300c\u300d\u3000]+")
# Of sentences, in other writings too, and marks of direction that stand unseen behind an address.
_TRAILING = frozenset(
    ".,;:!?'*_~\u2019\u201d\u3001\u3002\uff01\uff0c\uff1a\uff1b\uff1f\u3009\u300b\u300f\u3011"
    "\uff09\uff3d\uff5d\u060c\u061b\u061f\u200b\u200e\u200f\u202a\u202b\u202c\u2066\u2067\u2068\u2069"
)
_CLOSERS = {")": "(", "]": "[", "}": "{"}
_WRAP = re.compile(r"[ \t]?\r?\n[ \t]?")
_LONGEST_WRAP = 5  # lines that one address may go over
_MOST_ATTRIBUTIONS = 500  # looked at in one text


def addresses(text: str) -> Iterator[tuple[int, int]]:
    """The spans of every http, https and www. address in a text."""
    if not may_have_addresses(text.lower()):
        return
    end = 0
    for found in _START.finditer(text):
        start = found.start()
        if start < end:
            continue
        run = _RUN.match(text, start)
        if run is None:
            continue
        end = start + _trimmed(run[0])
        if is_address(text[start:end]):
            yield start, end


def may_have_addresses(lowered: str) -> bool:
    """Whether looking for addresses is worth while: known at the speed of memory."""
    return "http" in lowered or "www." in lowered


def is_address(written: str) -> bool:
    """Whether something stands behind the scheme or "www." that could be a host."""
    found = _START.match(written)
    rest = written[found.end() : found.end() + 1] if found else ""
    return rest.isalnum() or (rest != "" and rest in "[/\\%")


def target_of(written: str) -> str:
    """The address that a client opens for one written in text."""
    return "http://" + written if written[:4].lower() == "www." else written


def links(part: str, text: str, joined: bool, most: int) -> tuple[tuple[Link, ...], bool]:
    """The links of a plain text and whether there were more than `most`.

    `joined`: a wrapped address goes on in the next line (format=flowed with DelSp=yes). Within
    angle brackets it always does (RFC 3986 appendix C).
    """
    found: list[Link] = []
    behind = 0
    for start, end in addresses(text):
        if start < behind:
            continue
        if len(found) == most:
            return tuple(found), True
        written = text[start:end]
        if joined or text[start - 1 : start] == "<":
            end, written = _continued(text, start, end, written, text[start - 1 : start] == "<")
        behind = end
        found.append(Link(part, "text", start, end, target_of(written), text[start:end]))
    return tuple(found), False


def _trimmed(run: str) -> int:
    """The length of an address without the punctuation of the sentence around it."""
    opened = {opener: run.count(opener) for opener in "([{"}
    closed = {closer: run.count(closer) for closer in _CLOSERS}
    end = len(run)
    while end:
        last = run[end - 1]
        if last in _CLOSERS and closed[last] > opened[_CLOSERS[last]]:
            closed[last] -= 1
        elif last not in _TRAILING:
            break
        end -= 1
    return end


def _continued(text: str, start: int, end: int, written: str, bracketed: bool) -> tuple[int, str]:
    """An address that goes on in the next lines: its end, and the whole of it."""
    at, whole = end, written
    for _ in range(_LONGEST_WRAP):
        if bracketed and text[at : at + 1] == ">":
            return at, whole
        wrap = _WRAP.match(text, at)
        if wrap is None or (not bracketed and not wrap[0].startswith(" ")):
            break
        run = _RUN.match(text, wrap.end())
        if run is None:
            break
        length = len(run[0]) if bracketed else _trimmed(run[0])
        at, whole = wrap.end() + length, whole + run[0][:length]
        if not bracketed:
            end, written = at, whole
    if bracketed and text[at : at + 1] == ">":
        return at, whole
    return end, written


def author(text: str) -> tuple[int, str, int]:
    """`author_end`, the author's own words, and where a disclaimer goes.

    Lines that begin with ">" are somebody else's wherever they stand, so a reply between or below
    them is the author's. Where the author wrote above the quote, the disclaimer goes there too.
    """
    rows = quote.lines(text)
    own = [True] * len(rows)
    _strike_quotes(rows, own, ">" in text)
    rest = quote.rest_start(rows)
    if rest is not None:
        own[rest:] = [False] * (len(rows) - rest)
    visible = "\n".join(row.text for row, mine in zip(rows, own, strict=True) if mine)
    foreign = next((n for n, mine in enumerate(own) if not mine), len(rows))
    above = [n for n in range(foreign) if own[n]]
    if above:
        end = rows[above[-1]].end
        return (rows[foreign].start if foreign < len(rows) else len(text)), visible, end
    below = [n for n in range(foreign, len(rows)) if own[n]]
    if below:
        return rows[below[-1]].end, visible, rows[below[-1]].end
    start = rows[foreign].start if foreign < len(rows) else len(text)
    return start, "", start


def _strike_quotes(rows: list[quote.Line], own: list[bool], marked: bool) -> None:
    """Mark quoted lines, and the attributions above them, as not the author's."""
    tries = _MOST_ATTRIBUTIONS
    quoted = False
    for at, row in enumerate(rows if marked else ()):
        if not row.text.startswith(">"):
            quoted = False
            continue
        own[at] = False
        if not quoted and tries:
            tries -= 1
            start = quote.attribution_start(rows, at - 1) if at else None
            if start is not None:
                own[start:at] = [False] * (at - start)
        quoted = True
    tries = _MOST_ATTRIBUTIONS
    # Some phones and web mailers quote without ">"; what they quote may have lines with it.
    for at, row in enumerate(rows):
        if not own[at]:
            return
        if tries and row.text.endswith((":", "\uff1a")):
            tries -= 1
            start = quote.attribution_start(rows, at)
            if start is not None:
                own[start:] = [False] * (len(rows) - start)
                return
