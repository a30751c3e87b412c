"""What is wrong with a configuration, and where: one line an error.

Owns the form `file:line:column: path: what is wrong; allowed: …`. Must not know what is checked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mailguard.core.mail.safe_text import terminal

SHOWN = 200  # errors reported at most; a file in the wrong format has one in every line


@dataclass(frozen=True, slots=True, order=True)
class ConfigError:
    """One thing that is wrong (or, in `Loaded.warnings`, odd) at one place."""

    file: str
    line: int  # from 1; 0 where no line is concerned
    column: int  # from 1
    path: str  # "listeners[1].address", or "row ada: sites"; may be empty
    problem: str  # a sentence part: "'yes' is not a yes-or-no value"
    allowed: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}"
        path = f"{terminal(self.path)}: " if self.path else ""
        allowed = f"; allowed: {terminal(self.allowed)}" if self.allowed else ""
        return f"{place}: {path}{terminal(self.problem)}{allowed}"


class ConfigErrors(Exception):
    """A configuration was refused. `errors` holds everything that was found, in file order."""

    def __init__(self, errors: Iterable[ConfigError]) -> None:
        self.errors = tuple(sorted(set(errors)))
        super().__init__(self.errors)

    def __str__(self) -> str:
        lines = [str(error) for error in self.errors[:SHOWN]]
        if len(self.errors) > SHOWN:
            lines.append(f"… and {len(self.errors) - SHOWN} more errors")
        return "\n".join(lines)
