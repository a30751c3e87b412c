"""ARC validation (RFC 8617): the keys looked up, then the chain hashed beside the event loop.

Owns the waiting. Must not know the rules: `core.authentication.arc` does.
"""

from __future__ import annotations

from mailguard.adapters.authentication.dkim_keys import fetch_keys
from mailguard.adapters.authentication.dns import Resolver
from mailguard.core.authentication import arc
from mailguard.core.authentication.dkim_canonical import Canonical
from mailguard.core.decision.facts import Arc, Unavailable
from mailguard.core.mail.message import Message
from mailguard.pipeline.off_loop import off_loop_if_large


async def verify_arc(
    resolver: Resolver, message: Message, *, now: float, deadline: float
) -> Arc | Unavailable:
    """The chain's status; Unavailable where a key did not come by `deadline` (the event loop's
    clock). `now` is in seconds since the epoch. Never raises."""
    view = Canonical(message.raw, message.root.fields, message.root.body_start)
    if not any(kind in view.by_name for kind in arc.KINDS):
        return Arc()
    names = arc.key_names(view, now)
    keys = await fetch_keys(resolver, names, deadline) if names else {}
    return await off_loop_if_large(len(message.raw), arc.verify, view, keys, now)
