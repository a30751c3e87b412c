"""What a person would see in a message: its texts, where their author's own words end, its links.

Owns the types. `reader.read` makes a Reading from a message; it is a pure function of the bytes, so
a Reading is never stored: `explain` makes it again. Offsets are code points of the decoded text.
Must not know policy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from mailguard.core.files.file import File


class Link(NamedTuple):
    """One place a mail client would make clickable (R39)."""

    part: str
    construct: str  # "a", "area", "form", "text", …
    start: int  # span of the address as written: the attribute's value, or the text itself
    end: int
    target: str  # the address that would be opened: entities and white space resolved
    text: str = ""  # what the reader sees of it
    outer_start: int = 0  # HTML: span of the start tag
    outer_end: int = 0
    close_start: int = 0  # HTML: span of the end tag; empty where there is none
    close_end: int = 0


@dataclass(frozen=True, slots=True)
class TextPart:
    """One text/plain or text/html part that a client shows as the message's body."""

    path: str
    subtype: str  # "plain" or "html"
    charset: str  # Python's codec name of what `text` was decoded with
    text: str  # decoded, line ends as in the message
    visible: str  # what a reader sees of it: HTML rendered to words
    author_end: int  # in `text`: where the author's own words end and the quote (or nothing) begins
    author_visible: str  # `visible` up to there
    insert_at: int  # in `text`: where a disclaimer goes
    editable: bool = True
    obstacle: str = ""  # why not
    flowed: bool = False  # format=flowed (RFC 3676)
    links: tuple[Link, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The texts of a message and how they relate; the files that come with it."""

    texts: tuple[TextPart, ...] = ()
    untouchable: str = ""  # why no part may be edited: "signed", "encrypted", "report", …
    truncated: bool = False  # a budget ended the reading before the end
    files: tuple[File, ...] = ()
    files_cut: bool = False  # a budget ended the look into files; those concerned say so
    nested: tuple[TextPart, ...] = ()  # texts of attached messages, which nobody is shown at once
    nested_truncated: bool = False  # the same budgets ended before the last of these

    @property
    def links(self) -> tuple[Link, ...]:
        return tuple(link for text in self.texts for link in text.links)
