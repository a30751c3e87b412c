"""What people teach the spam filter: messages of which somebody knows what they are (R26).

Owns how an example becomes a lesson. Must not know where examples come from, or how
lessons are kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail import mime
from mailguard.core.spam import tokens
from mailguard.pipeline.ports import Reader

TOGETHER: Final = 50  # lessons in one commit


@dataclass(frozen=True, slots=True)
class Example:
    """A message and where it stands."""

    name: str  # "junk.mbox:3"
    raw: bytes  # with CRLF, as it would arrive; b"" when it is above the limit


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a message is an example of. Taught again it counts once, as what was said last."""

    example: str  # the message's SHA-256, in hex
    words: Sequence[str]
    spam: bool | None  # None: of nothing any more


class LessonStore(Protocol):
    """Who remembers what was taught."""

    async def teach(self, lessons: Sequence[Lesson]) -> int:
        """Take lessons over in one commit, in their order; how many of them were known before.
        Raises StoreError."""
        ...


@dataclass(frozen=True, slots=True)
class Taught:
    """What came of some examples."""

    read: int  # examples that became lessons
    known: int  # of them, known before
    unread: tuple[str, ...]  # where an example stands and why it is none, in words


async def teach(
    examples: Iterable[Example], spam: bool | None, reader: Reader, store: LessonStore
) -> Taught:
    """Teach what the examples are, spam or wanted mail, or with None take back what they taught.

    A commit for every TOGETHER lessons: whatever `examples` or the store raises, what was committed
    before has been taught. Raises StoreError.
    """
    lessons: list[Lesson] = []
    unread: list[str] = []
    known = read = 0
    for example in examples:
        if not example.raw:
            unread.append(f"{example.name}: empty, or above the limit of a message's size")
            continue
        message = mime.parse(example.raw)
        reading = await reader.read(message)
        if isinstance(reading, Unavailable):
            unread.append(f"{example.name}: {reading.unavailable}")
            continue
        words = tokens.words(message, reading)
        lessons.append(Lesson(hashlib.sha256(example.raw).hexdigest(), words, spam))
        read += 1
        if len(lessons) == TOGETHER:
            known += await store.teach(lessons)
            lessons = []
    if lessons:
        known += await store.teach(lessons)
    return Taught(read, known, tuple(unread))
