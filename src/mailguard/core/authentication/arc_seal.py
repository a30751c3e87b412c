"""Our own ARC set on mail that we edited (RFC 8617 5.1).

Owns when a chain may be continued and what our set says. Must not know which key is used, or why a
message was edited.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence

from mailguard.core.authentication.arc import KINDS, MAX_SETS, SEAL, instance_of
from mailguard.core.authentication.dkim_canonical import Canonical, canonical
from mailguard.core.authentication.dkim_signature import SignatureInvalid, read_tags
from mailguard.core.authentication.dkim_signing import SigningKey, signature_field, signed_names


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


def _last_instance(view: Canonical) -> int:
    """The highest i= there is; 0 for none. What cannot be read does not count."""
    last = 0
    for kind in KINDS:
        for index in view.by_name.get(kind, ()):
            try:
                last = max(last, instance_of(view, kind, index))
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
        (instance_of(view, kind, index), order): index
        for order, kind in enumerate(KINDS)
        for index in view.by_name.get(kind, ())
    }
    wanted = ((number, order) for number in range(1, last + 1) for order in range(len(KINDS)))
    return b"".join(view.relaxed(found[key]) for key in wanted if key in found)


def _sealed_names(view: Canonical) -> list[bytes]:
    """As for DKIM, and the signatures there are (RFC 8617 4.1.2)."""
    return signed_names(view) + [b"dkim-signature"] * len(view.by_name.get(b"dkim-signature", ()))
