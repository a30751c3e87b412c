"""Words put into a message's body where its author's own text ends (R3, R12).

Owns which texts a reader may be shown as the body, and how a block fits between what is there.
Must not know what is put in.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailguard.core.decision.edit import Phase, ReplaceText
from mailguard.core.mail.message import Message
from mailguard.core.text.reading import Reading, TextPart

_OTHER_VERSIONS = frozenset(
    ("text/x-amp-html", "text/calendar", "text/watch-html", "text/enriched", "text/rtf")
)


def first_body(message: Message, reading: Reading) -> list[TextPart]:
    """The texts of which a client shows one: the first, and its alternatives."""
    if not reading.texts:
        return []
    first = reading.texts[0]
    parts = {part.path: part for part in message.parts}
    above = first.path
    while above:
        above = above.rpartition(".")[0]
        if above in parts and parts[above].content_type == "multipart/alternative":
            prefix = f"{above}." if above else ""
            return [text for text in reading.texts if text.path.startswith(prefix)]
    return [first]


def obstacle(reading: Reading, targets: Sequence[TextPart]) -> str:
    """Why nothing can be put into these texts; "" where it can."""
    if reading.untouchable:
        return reading.untouchable
    if not targets:
        return "no text"
    return next((part.obstacle for part in targets if not part.editable), "")


def other_versions(message: Message, targets: Sequence[TextPart]) -> tuple[str, ...]:
    """The content types of the forms beside these texts that some programs show instead, and that
    must not be edited: AMP is checked by its reader, a calendar part by its program (R12)."""
    if not targets:
        return ()
    above = targets[0].path
    parts = {part.path: part for part in message.parts}
    while above:
        above = above.rpartition(".")[0]
        part = parts.get(above)
        if part is not None and part.content_type == "multipart/alternative":
            kinds = dict.fromkeys(child.content_type for child in part.children)
            return tuple(kind for kind in kinds if kind in _OTHER_VERSIONS)
    return ()


def insertion(part: TextPart, text: str, html: str) -> ReplaceText:
    """A block of its own at the end of the author's words: `text`, or `html` in an HTML part."""
    line_end = "\r\n" if "\r\n" in part.text or "\n" not in part.text else "\n"
    at = part.insert_at
    if part.subtype == "html":
        return ReplaceText(part.path, at, at, f"{html}{line_end}", Phase.APPEND)
    rows = [_stuffed(row, part.flowed) for row in _wrapped(text)]
    block = line_end.join(rows) + line_end
    before = part.text[:at]
    if before.strip():
        block = line_end + block if before.endswith("\n") else line_end * 2 + block
    if part.text[at:].strip():
        follows = part.text[at:].lstrip(" \t").startswith(("\r", "\n"))
        block = block if follows else block + line_end
    return ReplaceText(part.path, at, at, block, Phase.APPEND)


def _stuffed(row: str, flowed: bool) -> str:
    """RFC 3676 4.4: what looks like a quote, and no line that goes on by accident."""
    if not flowed:
        return row
    row = row.rstrip(" ")
    return f" {row}" if row.startswith((" ", ">", "From ")) else row


def _wrapped(text: str) -> Sequence[str]:
    """The lines of a text, broken at a space only where one would be too long for SMTP."""
    rows: list[str] = []
    for row in text.splitlines():
        while len(row.encode()) > 900:
            cut = row.rfind(" ", 1, 300)
            cut = 300 if cut < 0 else cut
            rows.append(row[:cut])
            row = row[cut:].lstrip(" ")
        rows.append(row)
    return rows
