"""ARC chains (RFC 8617): validated on entry, continued on mail that we edit.

Owns the chain's status and our own set. That a chain passes says who handled a message, not that
they tell the truth: whom to trust is for policy. Must not know DKIM results or DMARC.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Sequence
from typing import Final

from mailguard.adapters.authentication.dkim_canonical import Canonical, canonical, has_bare_line_end
from mailguard.adapters.authentication.dkim_keys import Keys, NoKey, PublicKey, fetch_keys, key_of
from mailguard.adapters.authentication.dkim_signature import (
    MAX_HEADER,
    Signature,
    SignatureInvalid,
    check_coverage,
    check_message_hash,
    check_times,
    read_signature,
    read_tags,
)
from mailguard.adapters.authentication.dns import Resolver
from mailguard.adapters.signing.signing import SigningKey, signature_field, signed_names
from mailguard.core.decision.facts import Arc, ArcSet, Unavailable
from mailguard.core.mail.message import Field, Message
from mailguard.pipeline.off_loop import off_loop_if_large

MAX_SETS: Final = 50  # RFC 8617 4.2.1
RESULTS, MESSAGE_SIGNATURE, SEAL = (
    b"arc-authentication-results",
    b"arc-message-signature",
    b"arc-seal",
)
KINDS: Final = (RESULTS, MESSAGE_SIGNATURE, SEAL)
_INSTANCE: Final = re.compile(rb"[ \t\r\n]*+i[ \t\r\n]*+=[ \t\r\n]*+([0-9]{1,3})[ \t\r\n]*+;")
_NUMBER: Final = re.compile(rb"[0-9]{1,3}")


async def verify_arc(
    resolver: Resolver, message: Message, *, now: float, deadline: float
) -> Arc | Unavailable:
    """The chain's status; Unavailable where a key did not come by `deadline` (the event loop's
    clock). `now` is in seconds since the epoch. Never raises."""
    view = Canonical(message.raw, message.root.fields, message.root.body_start)
    if not any(kind in view.by_name for kind in KINDS):
        return Arc()
    try:
        names = {s.key_name for one in _read(view, now) for s in (one.message, one.seal)}
    except SignatureInvalid as refused:
        return Arc("fail", refused.reason)
    keys = await fetch_keys(resolver, names, deadline)
    return await off_loop_if_large(len(message.raw), _verify, view, keys, now)


def verify_arc_with_keys(raw: bytes, keys: Keys, now: float) -> Arc | Unavailable:
    """The same, of octets and keys already fetched: for another thread or process."""
    return _verify(canonical(raw), keys, now)


def chain_fields(message: Message) -> tuple[Field, ...]:
    """Every ARC field, to be taken off with a chain that is broken."""
    names = tuple(kind.decode() for kind in KINDS)
    return tuple(item for item in message.root.fields if item.name.lower() in names)


def seal(
    raw: bytes,
    results: bytes,
    cv: str,
    key: SigningKey,
    now: float,
    *,
    names: Sequence[bytes] | None = None,
) -> bytes:
    """Our ARC set to put on top of `raw`, the message as it will leave (RFC 8617 5.1).

    `results` is the value of our Authentication-Results from before the edit, authserv-id first;
    `cv` the status of the chain as it arrived; `names` what is signed in place of the usual
    fields. b"" where no set may be added: fifty are there, the chain had failed before, or `cv`
    is not of the chain in `raw` (a broken chain that was taken off leaves "none").
    """
    view = canonical(raw)
    instance = _last_instance(view) + 1
    if instance > MAX_SETS or (cv == "none") != (instance == 1):
        return b""
    if _has_failed(view, instance - 1):
        return b""  # RFC 8617 5.1: a chain that was sealed as failed ends there
    number = b"%d" % instance
    payload = b" i=" + number + b"; " + results.strip()
    own_results = b"ARC-Authentication-Results:" + payload + b"\r\n"
    shared = [(b"a", key.algorithm.encode()), (b"b", b"")]
    origin = [
        (b"d", key.domain.lower().encode("ascii")),
        (b"i", number),
        (b"s", key.selector.encode("ascii")),
        (b"t", b"%d" % now),
    ]
    signed = list(names) if names is not None else _sealed_names(view)
    body_hash = base64.b64encode(view.body_hash(relaxed=True))
    tags = [
        *shared,
        (b"bh", body_hash),
        (b"c", b"relaxed/relaxed"),
        origin[0],
        (b"h", b":".join(signed)),
        *origin[1:],
    ]
    message_signature = signature_field(
        b"ARC-Message-Signature", tags, key, b"".join(view.header(signed, relaxed=True))
    )
    ours = canonical(message_signature + own_results)
    # RFC 8617 5.1.2: the seal of a chain that fails covers its own set alone.
    before = b"" if cv == "fail" else _relaxed_chain(view, instance - 1)
    sealed = before + ours.relaxed(1) + ours.relaxed(0)
    seal_field = signature_field(b"ARC-Seal", [*shared, (b"cv", cv.encode()), *origin], key, sealed)
    return seal_field + message_signature + own_results


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
    Refused."""
    if view.fields[-1].end > MAX_HEADER:
        raise SignatureInvalid("fail", "the header is too long")
    found: dict[int, dict[bytes, int]] = {}
    for kind in KINDS:
        for index in view.by_name.get(kind, ()):
            number = _instance(view, kind, index)
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


def _instance(view: Canonical, kind: bytes, index: int) -> int:
    """i= of one field, 1 to 50 (RFC 8617 4.2.1). Raises Refused."""
    value = view.value(index)
    if kind == RESULTS:  # not a tag list: i= comes first (RFC 8617 4.1.1)
        match = _INSTANCE.match(value)
        digits = match[1] if match else b""
    else:
        digits = read_tags(value).get(b"i", b"")
    if not _NUMBER.fullmatch(digits) or not 1 <= int(digits) <= MAX_SETS:
        raise SignatureInvalid("fail", f"{kind.decode()} without a valid i=")
    return int(digits)


def _verify(view: Canonical, keys: Keys, now: float) -> Arc | Unavailable:
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


def _check_seals(view: Canonical, sets: list[_Set], keys: Keys) -> None:
    """Every seal covers the sets up to its own (RFC 8617 5.1.1); one running hash serves all.
    Raises Refused."""
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


def _last_instance(view: Canonical) -> int:
    """The highest i= there is; 0 for none. What cannot be read does not count."""
    last = 0
    for kind in KINDS:
        for index in view.by_name.get(kind, ()):
            try:
                last = max(last, _instance(view, kind, index))
            except SignatureInvalid:
                pass
    return last


def _has_failed(view: Canonical, number: int) -> bool:
    """Whether that instance's seal says that the chain failed."""
    for index in view.by_name.get(SEAL, ()):
        try:
            tags = read_tags(view.value(index))
        except SignatureInvalid:
            continue
        if tags.get(b"cv") == b"fail" and tags.get(b"i") == b"%d" % number:
            return True
    return False


def _relaxed_chain(view: Canonical, last: int) -> bytes:
    """The sets there are, in the order that seals cover them."""
    found = {
        (_instance(view, kind, index), order): index
        for order, kind in enumerate(KINDS)
        for index in view.by_name.get(kind, ())
    }
    wanted = ((number, order) for number in range(1, last + 1) for order in range(len(KINDS)))
    return b"".join(view.relaxed(found[key]) for key in wanted if key in found)


def _sealed_names(view: Canonical) -> list[bytes]:
    """As for DKIM, and the signatures there are (RFC 8617 4.1.2)."""
    return signed_names(view) + [b"dkim-signature"] * len(view.by_name.get(b"dkim-signature", ()))
