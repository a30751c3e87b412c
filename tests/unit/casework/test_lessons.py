"""Examples become lessons: what is read, what was known, what cannot be read, and how often it is
committed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import pytest

from mailguard.casework.lessons import TOGETHER, Example, Lesson, Taught, teach
from mailguard.core.decision.facts import Unavailable
from mailguard.core.mail.message import Message
from mailguard.core.text import reader
from mailguard.core.text.reading import Reading


class Store:
    """Remembers lessons, a commit at a time."""

    def __init__(self) -> None:
        self.commits: list[tuple[Lesson, ...]] = []

    async def teach(self, lessons: Sequence[Lesson]) -> int:
        known = {one.example for commit in self.commits for one in commit}
        self.commits.append(tuple(lessons))
        return sum(one.example in known for one in lessons)


class Reader:
    """Reads what does not say that it cannot be read."""

    async def read(self, message: Message) -> Reading | Unavailable:
        if b"too much" in message.raw:
            return Unavailable("no time")
        return reader.read(message)


def example(number: int) -> Example:
    return Example(f"junk.mbox:{number}", b"Subject: x\r\n\r\nwin prize %d\r\n" % number)


async def test_every_example_is_one_lesson_and_a_known_one_is_counted() -> None:
    store = Store()
    assert await teach([example(1)], True, Reader(), store) == Taught(1, 0, ())
    assert await teach([example(1), example(2)], False, Reader(), store) == Taught(2, 1, ())
    (first,), (_, second) = store.commits
    assert first.example == hashlib.sha256(example(1).raw).hexdigest()
    assert (first.spam, second.spam) == (True, False)
    assert "prize" in first.words


async def test_what_cannot_be_read_is_named_and_the_rest_is_taught() -> None:
    store = Store()
    examples = [Example("a", b""), example(1), Example("b", b"Subject: x\r\n\r\ntoo much\r\n")]
    taught = await teach(examples, None, Reader(), store)
    assert taught == Taught(
        1, 0, ("a: empty, or above the limit of a message's size", "b: no time")
    )
    assert [one.spam for one in store.commits[0]] == [None]


async def test_many_are_committed_by_and_by() -> None:
    store = Store()
    await teach(map(example, range(2 * TOGETHER + 1)), True, Reader(), store)
    assert [len(one) for one in store.commits] == [TOGETHER, TOGETHER, 1]


async def test_what_was_committed_before_a_file_failed_stays_taught() -> None:
    def examples() -> Iterator[Example]:
        yield from map(example, range(TOGETHER))
        raise OSError("gone")

    store = Store()
    with pytest.raises(OSError, match="gone"):
        await teach(examples(), True, Reader(), store)
    assert [len(one) for one in store.commits] == [TOGETHER]
