"""The first lines of a stranger's message, to be shown to people in mail and on pages (R30, R39).

Owns how they are made safe: nothing in them opens by a click, not even where a mail program makes
links of plain words. Must not know who reads them.
"""

from __future__ import annotations

import re

from mailguard.core.mail import safe_text
from mailguard.core.mail.message import Message
from mailguard.core.text.new_text import renderings, words_of
from mailguard.core.text.reading import Reading

_LINES, _CHARACTERS = 15, 1_200
_COMPARED = 20_000  # characters of each rendering
_HOSTS = 5
_FILES = 5
# What programs write into the plain text when they make it of HTML: <https://...>, [image: ...].
_ADDED = re.compile(r"<[^<>\n]{1,2000}>|\[[^\[\]\n]{1,2000}\]|https?://\S{1,2000}")
_HOST = re.compile(r"(?:https?|ftp)://([^\s/<>\"')\]]{1,253})", re.IGNORECASE)


def as_read(message: Message, reading: object) -> str:
    """The first lines in every rendering that says something else: a reviewer's program may show
    the plain text, and a recipient's the HTML. Then the names of what is attached."""
    if not isinstance(reading, Reading):
        return ""
    shown: dict[tuple[str, ...], str] = {}
    for texts in renderings(message, reading):
        text = "\n".join(one.visible[:_COMPARED] for one in texts)[:_COMPARED]
        shown.setdefault(tuple(words_of(_ADDED.sub(" ", text))), first_lines(text))
    found = [text for text in shown.values() if text]
    if len(found) > 1:
        found.insert(1, "[Other mail programs show instead:]")
    names = [safe_text.line(part.filenames[0], 100) for part in message.parts if part.filenames]
    if names:
        more = f" and {len(names) - _FILES} more" if len(names) > _FILES else ""
        found.append(safe_text.unlinked(f"[Attached: {', '.join(names[:_FILES])}{more}]"))
    return "\n".join(found)


def first_lines(text: str) -> str:
    """What a reader would see first of a text, in at most 15 lines."""
    return safe_text.unlinked(safe_text.lines(text, _LINES, _CHARACTERS))


def hosts(reading: object) -> tuple[str, ...]:
    """Where the links of a message go, as no program makes links of: "example[.]com"."""
    if not isinstance(reading, Reading):
        return ()
    found: dict[str, None] = {}
    for link in reading.links[:200]:
        address = _HOST.match(link.target[:1_000])
        if address is not None:
            found.setdefault(safe_text.unlinked(safe_text.line(address[1].rpartition("@")[2])))
    return tuple(found)[:_HOSTS]
