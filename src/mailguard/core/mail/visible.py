"""Text of others as a person is shown it: on one line, short, nothing that a terminal obeys.

Must not know where it is shown.
"""

from __future__ import annotations

from typing import Any


def visible(text: str) -> str:
    """Control characters, line separators and invisible characters escaped."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quote(value: Any) -> str:
    """A value as an error shows it, cut at 60 characters."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"'{visible(text[:60])}{'…' if len(text) > 60 else ''}'"
