"""DKIM verification (RFC 6376, 8301, 8463): which domains vouch for a message.

Owns how many signatures are looked at and what a domain's word is worth. What does not answer is
temperror. A signature that leaves room for additions (l=, a second Subject) is no pass. Must not
know policy or the envelope.
"""

from __future__ import annotations

from typing import Final

from mailguard.core.authentication.dkim_canonical import (
    SINGLETONS,
    Canonical,
    canonical,
    has_bare_line_end,
)
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
from mailguard.core.authentication.key_records import Keys, NoKey, key_of
from mailguard.core.decision.facts import Dkim, Unavailable

MAX_SIGNATURES: Final = 10
FIELD: Final = b"dkim-signature"


def verify(view: Canonical, keys: Keys, now: float) -> tuple[Dkim, ...]:
    """Every signature's result, topmost first; none for a message without one. `keys` by the names
    of `key_names`, `now` in seconds since the epoch. Never raises."""
    indexes = view.by_name.get(FIELD, [])
    bare = has_bare_line_end(view.raw)
    results = [_verify_one(view, index, keys, now, bare) for index in indexes[:MAX_SIGNATURES]]
    if len(indexes) > MAX_SIGNATURES:
        results.append(Dkim("policy", reason=f"more than {MAX_SIGNATURES} signatures"))
    return tuple(results)


def verify_with_keys(raw: bytes, keys: Keys, now: float) -> tuple[Dkim, ...]:
    """The same, of a message's octets. Never raises."""
    return verify(canonical(raw), keys, now)


def key_names(view: Canonical) -> frozenset[str]:
    """The DNS names of the keys that the signatures ask for."""
    found = set()
    for index in view.by_name.get(FIELD, ())[:MAX_SIGNATURES]:
        try:
            found.add(_read(view, index).key_name)
        except SignatureInvalid:
            pass
    return frozenset(found)


def _read(view: Canonical, index: int) -> Signature:
    if view.fields[-1].end > MAX_HEADER:
        raise SignatureInvalid("policy", "the header is too long")
    tags = read_tags(view.value(index))
    if tags.get(b"v") != b"1":
        raise SignatureInvalid("permerror", "the signature is not of version 1")
    return read_signature(index, tags, b"a b bh d h s")


def _verify_one(view: Canonical, index: int, keys: Keys, now: float, bare: bool) -> Dkim:
    try:
        signature = _read(view, index)
    except SignatureInvalid as refused:
        return Dkim(refused.result, reason=refused.reason)
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # a defect of ours
        return Dkim("temperror", reason=f"verification failed: {type(error).__name__}")
    result, reason, bits, testing = "pass", "", 0, False
    answer = keys.get(signature.key_name, Unavailable("not looked up"))
    try:
        identity = _check_claims(view, signature, now)
        if bare:
            raise SignatureInvalid("policy", "a CR or an LF stands on its own")
        key = key_of(answer)
        if isinstance(key, NoKey):
            raise SignatureInvalid(key.result, key.reason)
        bits, testing = key.bits, key.testing
        if key.strict and identity != signature.domain:
            raise SignatureInvalid("permerror", "i= must have the very domain that signs")
        check_message_hash(view, signature, key)
    except SignatureInvalid as refused:
        result, reason = refused.result, refused.reason
    except (ArithmeticError, LookupError, TypeError, ValueError) as error:  # a defect of ours
        result, reason = "temperror", f"verification failed: {type(error).__name__}"
    names = signature.names
    return Dkim(
        result,
        signature.domain,
        signature.selector,
        reason=reason,
        identity=signature.tags.get(b"i", b"@" + signature.domain.encode()).decode()[:320],
        algorithm=signature.algorithm,
        key_bits=bits,
        signature=b"".join(signature.tags[b"b"].split()).decode()[:12],
        body_length_limited=b"l" in signature.tags,
        testing=testing,
        uncovered=tuple(
            name
            for name in SINGLETONS
            if name.encode() in view.by_name and name.encode() not in names
        ),
    )


def _check_claims(view: Canonical, signature: Signature, now: float) -> str:
    """What needs no key; the domain of i=. Raises SignatureInvalid."""
    tags, names = signature.tags, signature.names
    if b"from" not in names:
        raise SignatureInvalid("permerror", "From is not signed")  # RFC 6376 6.1.1
    _, at, identity = tags.get(b"i", b"@" + signature.domain.encode()).decode().rpartition("@")
    identity = identity.lower()
    if not at or not ("." + identity).endswith("." + signature.domain):
        raise SignatureInvalid("permerror", "i= is not under d=")
    if b"l" in tags:
        raise SignatureInvalid("policy", "only a part of the body is signed (l=)")
    check_times(tags, now)
    check_coverage(view, names)
    return identity
