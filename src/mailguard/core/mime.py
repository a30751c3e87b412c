"""Basic for the moment."""

from __future__ import annotations

from dataclasses import dataclass

from mailguard.core.message import Field, Message, Part


@dataclass(frozen=True, slots=True)
class Limits:
    parts: int = 2_000
    depth: int = 100
    fields: int = 2_000


DEFAULT = Limits()


def parse(raw: bytes, limits: Limits = DEFAULT) -> Message:
    head, sep, _ = raw.partition(b"\r\n\r\n")
    fields = []
    pos = 0
    for line in (head + b"\r\n").splitlines(keepends=True):
        if line[:1] in b" \t" and fields:
            last = fields.pop()
            fields.append(Field(last.name, last.start, last.value_start, pos + len(line)))
        elif b":" in line:
            c = line.index(b":")
            name = line[:c].decode("latin-1").strip()
            fields.append(Field(name, pos, pos + c + 1, pos + len(line)))
        pos += len(line)
    root = Part(
        "", 0, len(head) + len(sep), len(raw), tuple(fields), "text/plain", {}, "", (), "7bit"
    )
    return Message(raw, root)


def decoded_body(message: Message, part: Part) -> tuple[bytes, tuple[str, ...]]:
    return message.raw[part.body_start : part.end], ()


def head(message: Message, part: Part, n: int) -> bytes:
    return message.raw[part.body_start : part.end][:n]
