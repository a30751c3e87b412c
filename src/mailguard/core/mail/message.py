"""A message as a view on its bytes: header fields and MIME parts with byte spans (RFC 5322, 2045).

Owns the types and the questions one may ask a message. Never re-serialises and never
raises on malformed input: what is wrong becomes a Defect. `mime.parse` builds it.
Must not know policy, addresses' owners, or the envelope.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from mailguard.core.mail import address, encoded_words


@dataclass(frozen=True, slots=True)
class Defect:
    """Something malformed, or something that two readers would read differently.

    `ambiguous` marks the second kind: what a filter sees and what a mail client shows may differ.
    """

    code: str  # stable, hyphenated: "from-duplicated", "boundary-duplicated"
    where: str  # "header", or a part's path such as "1.2"
    detail: str = ""
    ambiguous: bool = False


class Field(NamedTuple):
    """One header field; `raw[start:end]` has its line ends, `value_start` follows the colon."""

    name: str  # as written, without white space before the colon
    start: int
    value_start: int
    end: int


@dataclass(frozen=True, slots=True)
class Part:
    """One MIME entity. The top-level message is the part with path ""; its first child is "1".

    A message/rfc822 part's embedded message is its single child.
    """

    path: str
    start: int  # first octet of its header
    body_start: int
    end: int  # one past its body, the line end before a boundary excluded
    fields: tuple[Field, ...]
    content_type: str  # lower case "type/subtype"; the default of RFC 2045 5.2 when absent
    parameters: dict[str, str]  # of Content-Type, names in lower case, RFC 2231 decoded
    disposition: str  # "", "inline", "attachment", or what else it says in lower case
    filenames: tuple[str, ...]  # every reading a client may show, most usual first
    transfer_encoding: str  # lower case; "7bit" when absent
    children: tuple[Part, ...] = ()

    @property
    def is_multipart(self) -> bool:
        return self.content_type.startswith("multipart/")

    @property
    def charset(self) -> str:
        return self.parameters.get("charset", "us-ascii").lower()

    def walk(self) -> Iterator[Part]:
        """This part and everything below it, in the order of the bytes, without recursion."""
        stack = [self]
        while stack:
            part = stack.pop()
            yield part
            stack.extend(reversed(part.children))


@dataclass(frozen=True)
class Message:
    """A parsed view on `raw`. Equal when the bytes are equal."""

    raw: bytes = field(repr=False)
    root: Part = field(compare=False)
    defects: tuple[Defect, ...] = field(compare=False, default=())

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """Every part, the root included, in the order of the bytes."""
        return tuple(self.root.walk())

    @cached_property
    def _by_name(self) -> dict[str, tuple[Field, ...]]:
        names: dict[str, list[Field]] = {}
        for item in self.root.fields:
            names.setdefault(item.name.lower(), []).append(item)
        return {name: tuple(found) for name, found in names.items()}

    def fields(self, name: str) -> tuple[Field, ...]:
        """All top-level fields of that name (any case), top first."""
        return self._by_name.get(name.lower(), ())

    def raw_value(self, item: Field) -> bytes:
        """The field's value as sent: folding and trailing line end included."""
        return self.raw[item.value_start : item.end]

    def value(self, name: str, default: str = "") -> str:
        """The first field of that name, unfolded, encoded words decoded (RFC 2047), stripped."""
        found = self.fields(name)
        return encoded_words.decode(self.raw_value(found[0])) if found else default

    def token(self, name: str) -> str:
        """The first field's first word in lower case, without comments or parameters: keywords."""
        return self.value(name).split(";")[0].split("(")[0].strip().lower()

    def mailboxes(self, name: str) -> address.Mailboxes:
        """Every mailbox in every field of that name. Never raises; see `Mailboxes.ambiguous`."""
        key = name.lower()
        if key not in self._mailboxes:
            values = [self.raw_value(item) for item in self.fields(key)]
            self._mailboxes[key] = address.parse_mailboxes(values)
        return self._mailboxes[key]

    @cached_property
    def _mailboxes(self) -> dict[str, address.Mailboxes]:
        """Those asked for so far: several readers ask for the same, and a hostile field is long."""
        return {}

    @cached_property
    def author(self) -> address.Mailboxes:
        """The From field (RFC 5322 3.6.2); ambiguous unless it is one field that all readers read
        alike."""
        return address.parse_author([self.raw_value(item) for item in self.fields("From")])

    @cached_property
    def is_automatic(self) -> bool:
        """Automatic mail is never answered (RFC 3834 section 2, R7)."""
        if self.token("Auto-Submitted") not in ("", "no"):
            return True
        if self.token("Precedence") in ("bulk", "list", "junk", "auto_reply"):
            return True
        if any(name.startswith("list-") for name in self._by_name):
            return True
        return self.root.content_type == "multipart/report"
