"""Proposed changes to a message, as spans of the original.

Owns the kinds of Edit and their order. `render` carries them out, all but where a copy goes. An
edit never says how bytes are encoded: a text edit speaks in code points of a part's decoded text,
which is a pure function of the original bytes, and `render` finds the octets. Must not know checks
or policy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Phase(IntEnum):
    """Edits of an earlier phase come first where two start at one place."""

    CONTENT = 0  # links
    APPEND = 1  # disclaimers, signatures


@dataclass(frozen=True, slots=True)
class ReplaceText:
    """Replace `[start, end)` code points of a text part's decoded text; equal means insert."""

    part: str  # the part's path; "" is the root
    start: int
    end: int
    replacement: str
    phase: Phase = Phase.CONTENT
    recipients: tuple[str, ...] = ()  # whose copy; empty means everyone's


@dataclass(frozen=True, slots=True)
class RemoveField:
    """Remove one top-level header field, whole: `[start, end)` octets of the original."""

    start: int
    end: int
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AddField:
    """Prepend a trace field to the message; it does not count as a change of the original."""

    name: str
    value: str  # one line, ASCII
    recipients: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Redirect:
    """These recipients' copies go to another mailbox at the next hop; no octet changes."""

    to: str
    recipients: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Wrap:
    """Put the message, as it came, below a text of ours: an attached message in a new one that has
    its header. For mail that no edit may touch; the other edits of fields are made above it."""

    text: str
    recipients: tuple[str, ...] = ()


Edit = ReplaceText | RemoveField | AddField | Redirect | Wrap


def redirected(edits: Sequence[Edit]) -> str:
    """The mailbox that a copy with these edits goes to instead of its recipient's; "" for none."""
    return next((edit.to for edit in edits if isinstance(edit, Redirect)), "")
