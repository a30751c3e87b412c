"""DKIM verification (RFC 6376): the keys looked up, then the message hashed beside the event loop.

Owns the waiting. Must not know the rules: `core.authentication.dkim` does.
"""

from __future__ import annotations

from mailguard.adapters.authentication.dkim_keys import fetch_keys
from mailguard.adapters.authentication.dns import Resolver
from mailguard.core.authentication import dkim
from mailguard.core.authentication.dkim_canonical import Canonical
from mailguard.core.decision.facts import Dkim
from mailguard.core.mail.message import Message
from mailguard.pipeline.off_loop import off_loop_if_large


async def verify_dkim(
    resolver: Resolver, message: Message, *, now: float, deadline: float
) -> tuple[Dkim, ...]:
    """Every signature's result, topmost first; none for a message without one.

    `now` is in seconds since the epoch; `deadline` is by the event loop's clock, and a key that
    has not come by then makes temperror. Never raises.
    """
    view = Canonical(message.raw, message.root.fields, message.root.body_start)
    if dkim.FIELD not in view.by_name:
        return ()
    names = dkim.key_names(view)
    keys = await fetch_keys(resolver, names, deadline) if names else {}
    return await off_loop_if_large(len(message.raw), dkim.verify, view, keys, now)
