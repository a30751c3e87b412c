"""What is stored as JSON carries the number of its format, and is brought up to date when read.

Owns the number, the way up from every earlier format, and the refusal of what a newer version
wrote. A row without a number has format 1: the first rows had none. The number stands first in what
is written here, so that it is found without reading the rest. Must not know what is stored, or
where.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import PydanticSerializationError, to_json

T = TypeVar("T")

Upcaster = Callable[[Any], Any]
"""From the JSON value of one format to that of the next; pure, and never changed once released."""

_FIRST = re.compile(rb'\{"format":([0-9]{1,9})[,}]')


class NewerFormat(Exception):
    """A newer version wrote it: it is to be left alone, as it is no trouble of that version's."""

    def __init__(self, name: str, found: int, newest: int) -> None:
        super().__init__(
            f"a newer version of mailguard wrote this {name}: "
            f"it has format {found}, and this version reads up to {newest}"
        )
        self.name = name
        self.found = found


@dataclass(frozen=True)
class Format(Generic[T]):
    """How values of one kind are stored. The names of their fields are the stored spelling."""

    name: str  # for people: "approval"
    values: TypeAdapter[T]
    upcasters: tuple[Upcaster, ...] = ()  # the first leads from format 1 to 2

    @property
    def number(self) -> int:
        """Of the format that is written, and the newest that is read."""
        return 1 + len(self.upcasters)

    def dump(self, value: T) -> bytes:
        """As it is to be stored. Half a character, which JSON's readers refuse, becomes "?"."""
        try:
            written = to_json(value, inf_nan_mode="constants")
        except PydanticSerializationError:
            written = _octets(self.plain(value))
        return self.numbered(written)

    def numbered(self, written: bytes) -> bytes:
        """A JSON object that was written otherwise, with the number in front."""
        more = b"" if written[1:2] == b"}" else b","
        return b'{"format":%d%b' % (self.number, more) + written[1:]

    def load(self, stored: bytes) -> T:
        """The value, brought up to date. Raises NewerFormat, or ValueError where it is damaged."""
        if number_of(stored) == self.number:
            return self.values.validate_json(stored)
        return self.values.validate_json(_octets(self.document(stored)))

    def document(self, stored: bytes) -> Any:
        """Its JSON value without the number, brought up to date. Raises as `load` does."""
        self.refuse_newer(stored)
        found = number_of(stored)
        if found < 1:
            raise ValueError(f"this {self.name} has no number of a format")
        try:
            document = json.loads(stored)
        except RecursionError as error:
            raise ValueError(f"this {self.name} is nested too deeply") from error
        if isinstance(document, dict):
            document.pop("format", None)
        try:
            for upcaster in self.upcasters[found - 1 :]:
                document = upcaster(document)
        except (AttributeError, LookupError, TypeError) as error:  # it is not what it should be
            raise ValueError(f"this {self.name} is damaged: {error!r}") from error
        return document

    def refuse_newer(self, stored: bytes) -> None:
        """To be asked before what is stored is moved on unread. Raises NewerFormat."""
        found = number_of(stored)
        if found > self.number:
            raise NewerFormat(self.name, found, self.number)

    def plain(self, value: T) -> Any:
        """The value as JSON has it, spelled as it is stored; for listings."""
        return self.values.dump_python(value, mode="json")


def number_of(stored: bytes) -> int:
    """The number of the format that something was stored in; 0 where it is no number. What is
    damaged otherwise has 1, so that whoever loads it says what is wrong."""
    first = _FIRST.match(stored)
    if first is not None:
        return int(first[1])
    if b'"format"' not in stored:
        return 1
    try:
        written = json.loads(stored)
    except (ValueError, RecursionError):
        return 1
    number = written.get("format", 1) if isinstance(written, dict) else 1
    return number if type(number) is int and number > 0 else 0


def _octets(document: Any) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8", "replace")
