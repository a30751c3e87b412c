"""SPF, DKIM, ARC and DMARC of one message, all lookups at once, under one deadline.

Owns the order of the questions: DMARC's walk starts with the others, since it needs no result of
theirs. Must not know what the results lead to.
"""

from __future__ import annotations

import asyncio
from functools import partial

from mailguard.adapters.authentication.arc import verify_arc
from mailguard.adapters.authentication.dkim import verify_dkim
from mailguard.adapters.authentication.dmarc import at_hand, look_up, public_suffixes
from mailguard.adapters.authentication.dns import Resolver
from mailguard.adapters.authentication.spf import check_spf
from mailguard.core.authentication.arc import KINDS
from mailguard.core.authentication.dkim import key_names
from mailguard.core.authentication.dkim_canonical import Canonical
from mailguard.core.authentication.dmarc import evaluate
from mailguard.core.decision.facts import Dmarc, Unavailable
from mailguard.core.mail import address
from mailguard.core.mail.message import Message
from mailguard.core.mail.transaction import Transaction
from mailguard.pipeline.ports import Authentication

_LOGGED_IN = Unavailable("not looked up: the client has logged in")
# RFC 7489 11.2: "no aligned identifier could be extracted". Asking again would not help.
_NO_AUTHOR = Dmarc("none", reason="the message names no single author domain")
_MARGIN = 0.5  # seconds kept of the deadline for what follows the lookups


class SenderAuthentication:
    """Fulfils `ports.Authenticator` over one resolver, whose cache all messages share."""

    def __init__(self, resolver: Resolver, lifetime: float, hostname: str) -> None:
        self._resolver = resolver
        self._lifetime = lifetime
        self._hostname = hostname
        self._registrable = public_suffixes()

    async def authenticate(self, transaction: Transaction) -> Authentication:
        """The four results. A client that has logged in is known by its account; what its message
        carried from elsewhere proves nothing more about it."""
        envelope, message = transaction.envelope, transaction.message
        if envelope.account is not None:
            return Authentication(_LOGGED_IN, _LOGGED_IN, _LOGGED_IN, _LOGGED_IN)
        resolver, now = self._resolver, transaction.received_at
        deadline = asyncio.get_running_loop().time() + max(self._lifetime - _MARGIN, _MARGIN)
        author = message.author
        domains = {address.domain_of(mailbox) for mailbox in author.addresses}
        domain = domains.pop() if len(domains) == 1 and not author.ambiguous else ""
        identifiers = [address.domain_of(envelope.reverse_path) or envelope.helo]
        keys = _key_names(message)
        identifiers += [name.partition("._domainkey.")[2] for name in keys]
        check = partial(
            check_spf,
            resolver,
            envelope.client_address,
            envelope.helo,
            envelope.reverse_path,
            deadline=deadline,
            receiver=self._hostname,
        )
        verify = partial(verify_dkim, resolver, message, now=now, deadline=deadline)
        validate = partial(verify_arc, resolver, message, now=now, deadline=deadline)
        known = at_hand(resolver, domain, identifiers)
        if (
            known is not None
            and all(resolver.known(name, "TXT") is not None for name in keys)
            and not any(message.fields(kind.decode()) for kind in KINDS)
        ):  # SPF alone may have to wait: tasks for all would cost more than they save
            dkim, arc, spf, answers = await verify(), await validate(), await check(), known
        else:
            asked = look_up(resolver, domain, identifiers, deadline=deadline)
            spf, dkim, arc, answers = await asyncio.gather(check(), verify(), validate(), asked)
        dmarc = evaluate(domain, spf, dkim, answers, self._registrable) if domain else _NO_AUTHOR
        return Authentication(spf=spf, dkim=dkim, arc=arc, dmarc=dmarc)


def _key_names(message: Message) -> frozenset[str]:
    if not message.fields("DKIM-Signature"):
        return frozenset()
    return key_names(Canonical(message.raw, message.root.fields, message.root.body_start))
