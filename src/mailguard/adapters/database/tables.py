"""The database's schema, one for SQLite and PostgreSQL, and how values stand in it.

Owns names of tables and columns and the lossless writing of text. Must not know who reads or
writes them. A change here needs a migration beside it (`migrations/versions`); a test compares.

Times are seconds since the epoch as floats (UTC has no part in it). Text is anything that a
Python string can hold: see `escape`. A blob is needed as long as a row of `transactions`,
`holds` or `outbox` names its digest; each of those columns has an index for that question.
"""

from __future__ import annotations

import json
import re
import threading
from typing import Any

import zstandard
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
)
from sqlalchemy.types import TypeDecorator

_NEEDS_ESCAPE = re.compile("[\\\\\0\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(\\|0|u[0-9a-f]{4})")


def escape(text: str) -> str:
    """Text as it can stand in any database: a backslash doubled, NUL as `\\0`, a lone surrogate
    (an undecodable octet under surrogateescape, PEP 383) as `\\udc80`. `unescape` undoes it."""
    if _NEEDS_ESCAPE.search(text) is None:
        return text
    return _NEEDS_ESCAPE.sub(_escaped, text)


def unescape(text: str) -> str:
    """What `escape` was given."""
    return _ESCAPED.sub(_unescaped, text) if "\\" in text else text


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    if character == "\\":
        return "\\\\"
    return "\\0" if character == "\0" else f"\\u{ord(character):04x}"


def _unescaped(found: re.Match[str]) -> str:
    code = found[1]
    if code == "\\":
        return "\\"
    return "\0" if code == "0" else chr(int(code[1:], 16))


class Lossless(TypeDecorator[str]):
    """Text that never fails to be stored, and comes back equal."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else escape(value)

    def process_result_value(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else unescape(value)


class Json(TypeDecorator[Any]):
    """A JSON value as ASCII text, so surrogates and NUL are escaped by JSON's own rules."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    def process_result_value(self, value: str | None, dialect: Dialect) -> Any:
        return None if value is None else json.loads(value)


class _Compressors(threading.local):  # a compressor belongs to one thread
    def __init__(self) -> None:
        self.compress = zstandard.ZstdCompressor(level=1).compress
        self.decompress = zstandard.ZstdDecompressor().decompress


_zstd = _Compressors()


class NoFrame(bytes):
    """Octets that are no zstd frame, as they stand. Whoever reads them finds that they hold nothing
    readable, and one damaged row hinders no other; stored again, they stay as they are."""


class Compressed(TypeDecorator[bytes]):
    """Octets as a zstd frame; NoFrame where they are none."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        if value is None:
            return None
        return bytes(value) if isinstance(value, NoFrame) else _zstd.compress(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> bytes | None:
        if value is None:
            return None
        try:
            return _zstd.decompress(value)
        except zstandard.ZstdError:
            return NoFrame(value)


Number = BigInteger().with_variant(Integer(), "sqlite")  # SQLite counts up only INTEGER keys

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)

transactions = Table(
    "transactions",
    metadata,
    Column("id", Text, primary_key=True),  # Crockford base32, so in order of time
    Column("received_at", Double, nullable=False),
    Column("listener", Lossless, nullable=False),
    Column("digest", Text, nullable=False, index=True),
    Column("size", BigInteger, nullable=False),
    Column("reverse_path", Lossless, nullable=False),
    Column("envelope", Json, nullable=False),
    Column("subject", Lossless, nullable=False),
    Column("message_id", Lossless, nullable=False, index=True),  # at most 500 characters
    Column("facts", Compressed, nullable=False),
    Column("decision", Compressed, nullable=False),
    Column("policy_digest", Text, nullable=False),
    Column("reply", Lossless, nullable=False),  # "" before the outcome is known
    Column("recorded_at", Double, nullable=False),
    Index(None, "received_at"),
)

recipients = Table(
    "recipients",
    metadata,
    Column("transaction_id", Text, ForeignKey("transactions.id"), primary_key=True),
    # In the envelope. The address itself is no key: PostgreSQL indexes at most 2,704 octets.
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("recipient", Lossless, nullable=False),
    Column("disposition", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Lossless, nullable=False),
    Column("updated_at", Double, nullable=False),
    # Set by the outbox or a review: what the story says later does not replace it.
    Column("settled_later", Boolean(create_constraint=False), nullable=False),
    Index(None, "state"),
)

holds = Table(
    "holds",
    metadata,
    Column("id", Number, primary_key=True),  # the short reference that people see
    Column("hold_key", Text, nullable=False, unique=True),  # see ledger.hold_key
    Column("transaction_id", Text, ForeignKey("transactions.id"), nullable=False, index=True),
    Column("digest", Text, nullable=False, index=True),
    Column("reverse_path", Lossless, nullable=False),
    Column("recipient", Lossless, nullable=False),
    Column("disposition", Integer, nullable=False),
    Column("reason", Lossless, nullable=False),
    Column("evidence", Lossless, nullable=False),
    Column("state", Text, nullable=False),  # waiting, released, discarded
    Column("created_at", Double, nullable=False),
    Column("decided_at", Double),
    Column("decided_by", Lossless),
    Column("matter_id", Number, ForeignKey("matters.id"), index=True),  # that it hangs on
    Index(None, "state", "created_at"),
    sqlite_autoincrement=True,  # a reference is never given twice
)

matters = Table(
    "matters",
    metadata,
    Column("id", Number, primary_key=True),  # the number that people see
    Column("kind", Text, nullable=False),  # approval, case, grant
    Column("key", Text, nullable=False, unique=True),  # SHA-256 of what makes it the same one
    Column("version", Integer, nullable=False),  # 0 before its first transition
    Column("status", Text, nullable=False),
    Column("state", Compressed, nullable=False),  # JSON of its kind
    Column("opened_at", Double, nullable=False),
    Column("wakes_at", Double),
    Column("closed_at", Double),
    Index(None, "kind", "closed_at"),
    Index(None, "wakes_at"),
    sqlite_autoincrement=True,
)

happenings = Table(
    "happenings",
    metadata,
    Column("id", Number, primary_key=True),
    Column("matter_id", Number, ForeignKey("matters.id"), nullable=False, index=True),
    Column("at", Double, nullable=False),
    Column("by", Lossless, nullable=False),
    Column("what", Text, nullable=False),
    Column("detail", Lossless, nullable=False),
)

letters = Table(
    "letters",
    metadata,
    Column("id", Number, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # see holds.hold_key
    Column("desk", Text, nullable=False),
    Column("transaction_id", Text, ForeignKey("transactions.id"), nullable=False, index=True),
    Column("recipient", Lossless, nullable=False),
    Column("state", Text, nullable=False),  # waiting, done
    Column("attempts", Integer, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("done_at", Double),
    Column("outcome", Lossless, nullable=False),
    Index(None, "state", "id"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Number, primary_key=True),
    Column("key", Text, nullable=False, unique=True),  # SHA-256 of Outgoing.key: any length
    Column("kind", Text, nullable=False),
    Column("transaction_id", Text, nullable=False, index=True),  # "" where there is none
    Column("reverse_path", Lossless, nullable=False),
    Column("recipients", Json, nullable=False),  # those still to be served
    Column("digest", Text, nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("smtputf8", Boolean(create_constraint=False), nullable=False),
    Column("state", Text, nullable=False),  # waiting, sent, failed, withdrawn
    Column("attempts", Integer, nullable=False),  # leases given, so crashes count too
    Column("next_attempt_at", Double, nullable=False),
    Column("created_at", Double, nullable=False),
    Column("lease_until", Double, nullable=False),
    Column("lease_holder", Lossless, nullable=False),
    Column("last_reply", Lossless, nullable=False),
    Column("serves", Lossless, nullable=False),  # the envelope's recipient, where it is another
    Index(None, "state", "next_attempt_at"),
    sqlite_autoincrement=True,
)

allowlist = Table(
    "allowlist",
    metadata,
    Column("address", Lossless, primary_key=True),  # lower case
    Column("origin", Lossless, nullable=False),
    Column("site", Lossless, nullable=False),
    Column("added_by", Lossless, nullable=False),
    Column("added_at", Double, nullable=False),
    Column("expires_at", Double),
    Column("batch", Lossless, primary_key=True),  # of the import; "" beside all imports
    Column("waived_by", Lossless, nullable=False),  # "": it counts for proven mail alone
    Column("waived_because", Lossless, nullable=False),
    Column("removed_at", Double),  # the row stays, so that other nodes see the removal
    Column("revision", BigInteger, nullable=False, index=True),
)

tokens = Table(
    "tokens",
    metadata,
    Column("token", BigInteger, primary_key=True, autoincrement=False),  # see core.bayes.token
    Column("spam", Double, nullable=False),  # the sum of its examples' weights, see core.bayes
    Column("ham", Double, nullable=False),
    Column("revision", BigInteger, nullable=False, index=True),
)

learned = Table(
    "learned",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),  # one row, 1
    Column("spam", Double, nullable=False),
    Column("ham", Double, nullable=False),
    Column("pruned", BigInteger, nullable=False),  # the revision that last took tokens away
)

lessons = Table(
    "lessons",
    metadata,
    Column("example", Text, primary_key=True),  # SHA-256 of a message
    Column("spam", Boolean(create_constraint=False), nullable=False),
    Column("taught_at", Double, nullable=False, index=True),
)

policies = Table(
    "policies",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("policy", Compressed, nullable=False),  # JSON
    Column("stored_at", Double, nullable=False),
)

revisions = Table(
    "revisions",
    metadata,
    Column("name", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
)
