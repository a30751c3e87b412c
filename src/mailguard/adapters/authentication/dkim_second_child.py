"""dkimpy's side of a second opinion, in a child process that can be killed.

Owns every call of dkimpy: its defects hurt nobody here but this process. A question is one line of
JSON, the key records by name and the signatures' numbers, and then the message. No DNS is asked.
Must not know our own verdicts. dkimpy is imported in the child alone.
"""

from __future__ import annotations

import base64
import json
import logging
import os
import resource
import signal
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from mailguard.core.authentication.dkimpy_words import AHEAD, FAIL, PASS, UNREAD


def question(raw: bytes, records: Mapping[str, bytes], asked: Sequence[int]) -> bytes:
    """What `work` understands: `records` by key name in lower case, `asked` from 0, topmost first.
    Without numbers, `raw` is left out and the opinion is of the one record."""
    keys = {name: record.decode("latin-1") for name, record in records.items()}
    return json.dumps({"keys": keys, "asked": list(asked)}).encode() + b"\n" + raw


def work(pipe: Connection, memory: int) -> None:
    """The child: answer each question with a list of words, end when the parent is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    os.nice(10)  # whatever a message needs comes first
    import dkim

    pipe.send("ready")
    while True:
        try:
            asked = pipe.recv_bytes()
        except EOFError:
            return
        pipe.send(answer(dkim, asked))


def answer(dkim: Any, asked: bytes) -> list[str]:
    """The words on a `question`, by the module `dkim`. Raises ValueError for what is none."""
    head, _, raw = asked.partition(b"\n")
    read = json.loads(head)
    keys = {name.encode(): record.encode("latin-1") for name, record in read["keys"].items()}
    return _signatures(dkim, raw, keys, read["asked"]) if read["asked"] else [_record(dkim, keys)]


def _signatures(
    dkim: Any, raw: bytes, keys: Mapping[bytes, bytes], asked: Sequence[int]
) -> list[str]:
    def record(name: bytes, timeout: float = 0) -> bytes | None:
        return keys.get(name.rstrip(b".").lower())

    header = b"\n" + raw.partition(b"\r\n\r\n")[0]
    if b"\nFrom " in header:  # it leaves such a line out, "From : jane@example.org" as well
        return [UNREAD] * len(asked)
    try:
        message = dkim.DKIM(raw, logger=_silent())
    except Exception:  # noqa: BLE001 - MessageFormatError, IndexError, RecursionError, and more
        return [UNREAD] * len(asked)
    return [_signature(dkim, message, number, record) for number in asked]


def _signature(dkim: Any, message: Any, number: int, record: Any) -> str:
    try:
        return PASS if message.verify(number, dnsfunc=record) and _in_range(message) else FAIL
    except dkim.NaClNotFoundError:
        return UNREAD
    except dkim.ValidationError as error:
        return AHEAD if str(error).startswith("t= value is in the future") else FAIL
    except dkim.DKIMException:  # a key or a signature that is none is its word on it
        return FAIL
    except Exception:  # noqa: BLE001 - IndexError, TypeError, AssertionError, and more
        return UNREAD


def _in_range(message: Any) -> bool:
    """Whether a signature that verified is as long as its key and below the modulus, which dkimpy
    does not ask (RFC 8017 5.2.2 and 8.2.2)."""
    octets = base64.b64decode(b"".join(message.signature_fields[b"b"].split()))
    modulus: int = message.pk["modulus"]
    return len(octets) == (modulus.bit_length() + 7) // 8 and int.from_bytes(octets) < modulus


def _record(dkim: Any, keys: Mapping[bytes, bytes]) -> str:
    """Of a key record: its kind and length as "rsa, 2048 bits", or FAIL."""
    ((name, record),) = keys.items()
    try:
        _, bits, kind, for_tls_reports = dkim.load_pk_from_dns(
            name, dnsfunc=lambda _, timeout: record
        )
    except dkim.NaClNotFoundError:
        return UNREAD
    except (dkim.DKIMException, ValueError):  # binascii.Error is a ValueError
        return FAIL
    except Exception:  # noqa: BLE001 - IndexError, AssertionError, and more
        return UNREAD
    if kind is None or for_tls_reports:  # s= is not for e-mail, which it finds out later
        return FAIL
    return f"{kind.decode()}, {bits} bits"


def _silent() -> logging.Logger:
    """dkimpy logs what a message holds; here nobody reads it."""
    logger = logging.Logger("silent", logging.CRITICAL + 1)
    logger.addHandler(logging.NullHandler())
    return logger
