"""ARC chains (RFC 8617), validated on entry.

Owns the chain's status. That a chain passes says who handled a message, not that
they tell the truth: whom to trust is for policy. Must not know DKIM results or DMARC.
"""

from __future__ import annotations

import hashlib
import re
from typing import Final

from mailguard.core.authentication.dkim_canonical import Canonical, has_bare_line_end
from mailguard.core.authentication.dkim_signature import (
    MAX_HEADER,
    Signature,
    SignatureInvalid,
    check_coverage,
    check_message_hash,
    check_times,
    read_signature,
    read_tags,
)
from mailguard.core.authentication.key_records import Keys, NoKey, PublicKey, key_of
from mailguard.core.decision.facts import Arc, ArcSet, Unavailable

MAX_SETS: Final = 50  # RFC 8617 4.2.1
RESULTS, MESSAGE_SIGNATURE, SEAL = (
    b"arc-authentication-results",
    b"arc-message-signature",
    b"arc-seal",
)
KINDS: Final = (RESULTS, MESSAGE_SIGNATURE, SEAL)
_INSTANCE: Final = re.compile(rb"[ \t\r\n]*+i[ \t\r\n]*+=[ \t\r\n]*+([0-9]{1,3})[ \t\r\n]*+;")
_NUMBER: Final = re.compile(rb"[0-9]{1,3}")


def verify(view: Canonical, keys: Keys, now: float) -> Arc | Unavailable:
    """The chain's status; Unavailable where a key did not come. `keys` by the names of `key_names`,
    `now` in seconds since the epoch. Never raises."""
    if not any(kind in view.by_name for kind in KINDS):
        return Arc()
    try:
        sets = _read(view, now)
        if has_bare_line_end(view.raw):
            raise SignatureInvalid("fail", "a CR or an LF stands on its own")
        last = sets[-1].message
        check_coverage(view, last.names)
        check_message_hash(view, last, _key(keys, last))  # RFC 8617 5.2, step 4
        _check_seals(view, sets, keys)
    except SignatureInvalid as refused:
        if refused.result == "temperror":
            return Unavailable(refused.reason)
        return Arc("fail", refused.reason)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # a defect of ours
        return Unavailable(f"ARC validation failed: {type(error).__name__}")
    return Arc("pass", sets=tuple(_told(view, one) for one in sets))


def key_names(view: Canonical, now: float) -> frozenset[str]:
    """The DNS names of the keys that the chain's signatures ask for; none where it fails before any
    is needed."""
    try:
        sets = _read(view, now)
    except SignatureInvalid:
        return frozenset()
    return frozenset(signature.key_name for one in sets for signature in (one.message, one.seal))


class _Set:
    """One instance's three fields, read."""

    def __init__(self, view: Canonical, number: int, indexes: dict[bytes, int], now: float) -> None:
        self.number = number
        self.results_index = indexes[RESULTS]
        self.message = _signature(view, indexes[MESSAGE_SIGNATURE], b"i a b bh d h s", now)
        self.seal = _signature(view, indexes[SEAL], b"i a b cv d s", now)
        if b"arc-seal" in self.message.names:
            raise SignatureInvalid("fail", "a message signature covers seals")  # RFC 8617 4.1.2
        if b"h" in self.seal.tags:
            raise SignatureInvalid("fail", "a seal has h=")  # RFC 8617 4.1.3
        self.cv = self.seal.tags[b"cv"].decode()
        if self.cv not in ("none", "pass", "fail"):
            raise SignatureInvalid("fail", "a seal's cv= is unknown")


def _signature(view: Canonical, index: int, required: bytes, now: float) -> Signature:
    tags = read_tags(view.value(index))
    check_times(tags, now)
    # RFC 8617 does not say what no c= means; relaxed is what ARC's sealers and validators take.
    return read_signature(index, tags, required, b"relaxed/relaxed")


def _read(view: Canonical, now: float) -> list[_Set]:
    """The chain's sets from the first on, complete and in order (RFC 8617 5.2, step 3). Raises
    SignatureInvalid."""
    if view.fields[-1].end > MAX_HEADER:
        raise SignatureInvalid("fail", "the header is too long")
    found: dict[int, dict[bytes, int]] = {}
    for kind in KINDS:
        for index in view.by_name.get(kind, ()):
            number = instance_of(view, kind, index)
            if number in found and kind in found[number]:
                raise SignatureInvalid("fail", f"instance {number} has a field twice")
            found.setdefault(number, {})[kind] = index
            if len(found) > MAX_SETS:
                raise SignatureInvalid("fail", f"more than {MAX_SETS} sets")
    if sorted(found) != list(range(1, len(found) + 1)):
        raise SignatureInvalid("fail", "the instances are not numbered from 1 on")
    if any(len(indexes) != len(KINDS) for indexes in found.values()):
        raise SignatureInvalid("fail", "a set is not complete")
    sets = [_Set(view, number, found[number], now) for number in sorted(found)]
    if sets[-1].cv == "fail":
        raise SignatureInvalid("fail", f"{sets[-1].seal.domain} sealed the chain as failed")
    for one in sets:
        if one.cv != ("none" if one.number == 1 else "pass"):
            raise SignatureInvalid("fail", f"instance {one.number} cannot say cv={one.cv}")
    return sets


def instance_of(view: Canonical, kind: bytes, index: int) -> int:
    """i= of one field, 1 to 50 (RFC 8617 4.2.1). Raises SignatureInvalid."""
    value = view.value(index)
    if kind == RESULTS:  # not a tag list: i= comes first (RFC 8617 4.1.1)
        match = _INSTANCE.match(value)
        digits = match[1] if match else b""
    else:
        digits = read_tags(value).get(b"i", b"")
    if not _NUMBER.fullmatch(digits) or not 1 <= int(digits) <= MAX_SETS:
        raise SignatureInvalid("fail", f"{kind.decode()} without a valid i=")
    return int(digits)


def _check_seals(view: Canonical, sets: list[_Set], keys: Keys) -> None:
    """Every seal covers the sets up to its own (RFC 8617 5.1.1); one running hash serves all.
    Raises SignatureInvalid."""
    running = hashlib.sha256()
    for one in sets:
        running.update(view.relaxed(one.results_index))
        running.update(view.relaxed(one.message.index))
        digest = running.copy()
        digest.update(view.without_signature(one.seal.index, relaxed=True))
        key = _key(keys, one.seal)
        if key.algorithm != one.seal.algorithm or not key.verifies(
            one.seal.signature, digest.digest()
        ):
            raise SignatureInvalid("fail", f"the seal of instance {one.number} does not verify")
        running.update(view.relaxed(one.seal.index))


def _key(keys: Keys, signature: Signature) -> PublicKey:
    key = key_of(keys.get(signature.key_name, Unavailable("not looked up")))
    if isinstance(key, NoKey):
        raise SignatureInvalid(key.result, f"{signature.domain}: {key.reason}")
    return key


def _told(view: Canonical, one: _Set) -> ArcSet:
    value = view.relaxed(one.results_index).partition(b";")[2].strip()
    return ArcSet(
        one.seal.domain, one.seal.selector, value[:2_000].decode("ascii", "backslashreplace")
    )
