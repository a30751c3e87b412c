"""The first lines of a stranger's message, to be shown to people in mail and on pages (R30, R39).

Owns how they are made safe: nothing in them opens by a click, not even where a mail program makes
links of plain words. Must not know who reads them.
"""

from __future__ import annotations

import re

from mailguard.core.notice import one_line
from mailguard.core.reading import Reading

_LINES, _CHARACTERS = 15, 1_200
_HOSTS = 5
_URL = re.compile(r"(?:https?|ftp)://([^\s/<>\"')\]]{1,253})[^\s<>\"]*+", re.IGNORECASE)
_DOT = re.compile(r"(?<=[^\W_])\.(?=[^\W\d_]{2})")


def excerpt(reading: object) -> str:
    """What a reader would see first, in at most 15 lines; "" where nothing was read."""
    if not isinstance(reading, Reading) or not reading.texts:
        return ""
    text = reading.texts[0].visible[: 4 * _CHARACTERS]
    lines = [line for row in text.splitlines() if (line := one_line(row))]
    shown = "\n".join(lines[:_LINES])[:_CHARACTERS]
    cut = len(lines) > _LINES or len(text) > len(shown) + 200
    return without_links(shown) + ("\n…" if cut else "")


def hosts(reading: object) -> tuple[str, ...]:
    """Where the links of a message go, as no program makes links of: "example[.]com"."""
    if not isinstance(reading, Reading):
        return ()
    found: dict[str, None] = {}
    for link in reading.links[:200]:
        address = _URL.match(link.target[:1_000])
        if address is not None:
            found.setdefault(without_links(one_line(address[1].rpartition("@")[2])))
    return tuple(found)[:_HOSTS]


def without_links(text: str) -> str:
    """A text in which mail programs find nothing to link to but mail addresses' local parts."""
    return _DOT.sub("[.]", _URL.sub(r"[link to \1]", text)).replace("://", "[://]")
