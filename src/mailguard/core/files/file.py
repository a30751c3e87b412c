"""A file that comes with a message, as a value (R40).

Must not know how it was looked into.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class File:
    """An attachment, or a file within one at whatever depth (R40)."""

    part: str  # the path of the MIME part it came with
    within: tuple[str, ...]  # the names of what it lies in, outermost first
    names: tuple[str, ...]  # every reading, most usual first
    declared: str = ""  # the content type that the message gives it
    kind: str = ""  # by content: a key of `filetypes.KINDS`; "" for none
    traits: tuple[str, ...] = ()  # "macros", "encrypted", "javascript", …
    trouble: str = ""  # why it could not be looked into
