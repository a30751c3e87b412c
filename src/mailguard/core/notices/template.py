"""What a notice's text is: named slots in braces, and nothing more.

Must not know any text.
"""

from __future__ import annotations

from dataclasses import dataclass

DISTRICT_SLOTS = frozenset(
    {"district", "short_name", "department", "spammail", "postmaster", "events_address"}
)
"""Those that every template may use."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text with `{slots}`; the first paragraph also stands in the SMTP reply."""

    text: str
    slots: frozenset[str]
    purpose: str  # for the reference
