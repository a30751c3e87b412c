"""What the scanning engines said of a message (R26, R28), as values that facts are made of.

Owns what an answer is and what silence is: each says what its engine looks for, and silence what
the district wants done then, so that a decision can be made again from the stored facts.
Must not know how an engine is asked or what its points lead to.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Target(StrEnum):
    """What an engine looks for."""

    SPAM = "spam"
    MALWARE = "malware"


class OnNoAnswer(StrEnum):
    """What becomes of a message that an engine did not answer for."""

    IGNORE = "ignore"  # it is judged without the engine
    QUARANTINE = "quarantine"
    DEFER = "defer"  # the client keeps it and comes back


@dataclass(frozen=True, slots=True)
class Symbol:
    """One sign that an engine saw."""

    name: str  # printable ASCII without spaces
    score: float = 0.0  # on the engine's own scale; 0 where it does not say


@dataclass(frozen=True, slots=True)
class Scanned:
    """An engine's answer."""

    score: float  # on the engine's own scale
    spam: bool  # its own verdict
    symbols: tuple[Symbol, ...] = ()  # the heaviest first
    malware: str = ""  # the name of what was found, in printable ASCII; "" for nothing
    points: float = 0.0  # what the score is worth among ours, weight and bounds applied
    unscannable: str = ""  # why the engine did not look inside, in words: it will not another time
    target: Target = Target.SPAM


@dataclass(frozen=True, slots=True)
class EngineUnavailable:
    """No answer: a time-out, an error, an answer that is none. Never read as 'nothing found'."""

    unavailable: str  # the reason, in words
    target: Target
    on_no_answer: OnNoAnswer
