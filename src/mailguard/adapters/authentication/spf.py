"""SPF (RFC 7208): whether a client may speak for the domain it names.

Owns the evaluator's guards: our resolver and no other, one deadline, and no exception. Must not
know what a result means to a policy, nor how a record is read (`core.authentication.spf`).
"""

from __future__ import annotations

import asyncio
import ipaddress

from spftrace import (
    BaseResolver,
    DnsError,
    Evaluator,
    Limits,
    Result,
    SpfError,
    SpfPermError,
    Term,
)
from spftrace.evaluator import valid_domain
from spftrace.macros import MacroContext, expand, truncate_domain
from spftrace.resolver import NOERROR, NXDOMAIN, SERVFAIL

from mailguard.adapters.authentication.dns import Resolver
from mailguard.core.authentication.dmarc import a_label
from mailguard.core.authentication.dns_answers import NoData, NxDomain, Records
from mailguard.core.authentication.spf import client_ip, host_name, record_text
from mailguard.core.decision.facts import Spf, Unavailable
from mailguard.core.mail import safe_text

MOST_ADDRESSES = 500  # of one name
LONGEST_EXPLANATION = 300  # characters; a reply line has 510
_LONGEST_REASON = 200
_TOO_LATE = Unavailable("SPF: no answer before the deadline")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


async def check_spf(
    resolver: Resolver,
    client_address: str,
    helo: str,
    reverse_path: str,
    *,
    deadline: float,
    receiver: str = "unknown",
) -> Spf | Unavailable:
    """The MAIL FROM identity; postmaster at the HELO name for the null reverse-path (2.4).

    `deadline` is a time of the event loop's clock; past it the answer is Unavailable. DNS that
    does not answer before it is `temperror`. `receiver` is our host name, for the macro r in an
    explanation. Never raises.
    """
    if not reverse_path:
        return await _check(resolver, client_address, helo, "", deadline, receiver)
    local_part, _, domain = reverse_path.rpartition("@")
    return await _check(resolver, client_address, domain, local_part, deadline, receiver, helo)


async def _check(
    resolver: Resolver,
    client_address: str,
    domain: str,
    local_part: str,
    deadline: float,
    receiver: str,
    helo: str = "",
) -> Spf | Unavailable:
    address = client_ip(client_address)
    if address is None:
        return Unavailable("the client's address is not known")
    ascii_domain = a_label(domain)
    if "." not in ascii_domain:
        # 4.3: a malformed domain, or an address literal, has no policy; A-labels: RFC 8616 4.
        return Spf(
            "none", safe_text.ascii_line(domain, 255), "mailfrom", "no domain name to ask about"
        )
    clock = asyncio.get_running_loop().time
    remaining = deadline - clock()
    if remaining <= 0:
        return _TOO_LATE
    # The evaluator has the deadline as well: `wait_for` in it may lose a cancellation (3.11).
    limits = Limits(time_limit=remaining)
    evaluator = _Evaluator(_Bridge(resolver), limits, receiver)
    sender = f"{local_part or 'postmaster'}@{ascii_domain}"
    try:
        async with asyncio.timeout_at(deadline):
            found = await evaluator.evaluate(
                address, sender, (a_label(helo) or helo) if helo else ascii_domain
            )
    except TimeoutError:
        return _TOO_LATE
    except ValueError as error:
        return Spf(
            "permerror", ascii_domain, "mailfrom", safe_text.ascii_line(str(error), _LONGEST_REASON)
        )
    except Exception as error:  # noqa: BLE001 - the evaluator's trouble is a fact, not a crash
        return Unavailable(f"SPF: {type(error).__name__}")
    if found.result == "temperror" and clock() >= deadline:
        return _TOO_LATE  # our time-out, not DNS's
    explanation = found.explanation if found.result == "fail" else ""
    return Spf(
        found.result,
        ascii_domain,
        "mailfrom",
        safe_text.ascii_line(_reason(found), _LONGEST_REASON),
        safe_text.ascii_line(explanation or "", LONGEST_EXPLANATION),
    )


class _Evaluator(Evaluator):
    """The evaluator with explanations that have spaces in them: version 0.3 drops those."""

    async def _explanation(
        self, ip: IpAddress, domain: str, sender: str, helo: str, exp_term: Term
    ) -> str | None:
        """6.2: explain-string = *( macro-string / SP ). The verdict stands; trouble gives None."""
        context = MacroContext(ip, sender, helo, domain, self.receiver, self.session)
        try:
            with self.session.void_exempt():  # 4.6.4 counts what the verdict needed
                target = truncate_domain(await expand(exp_term.arg or "", context))
                if not valid_domain(target):
                    return None
                _, texts = await self.session.query(target, "TXT")
                if len(texts) != 1:
                    return None
                words = [await expand(word, context, exp=True) for word in texts[0].split(" ")]
        except (SpfError, DnsError, ValueError):
            return None
        return " ".join(words)


class _Bridge(BaseResolver):
    """Our resolver as the evaluator sees one. A record too big to be meant is an error in it."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver

    async def _lookup(self, name: str, rtype: str) -> tuple[str, list[str]]:
        if not name.isascii():
            return NXDOMAIN, []  # RFC 8616 4: a local-part in UTF-8 matches nothing
        answer = await self._resolver.look_up(name, rtype)
        match answer:
            case Records(values):
                if rtype == "TXT":
                    return NOERROR, [_text(value) for value in values]
                if rtype in ("A", "AAAA") and len(values) > MOST_ADDRESSES:
                    raise SpfPermError(f"more than {MOST_ADDRESSES} addresses")
                return NOERROR, [host_name(value) for value in values]
            case NxDomain():
                return NXDOMAIN, []
            case NoData():
                return NOERROR, []
            case Unavailable():
                return SERVFAIL, []


def _text(value: bytes) -> str:
    text = record_text(value)
    if text is None:
        raise SpfPermError("the record is too long")
    return text


def _reason(found: Result) -> str:
    """What decided: the last term that matched at the top, or the error."""
    for event in reversed(found.trace.events):
        if event.kind == "exit":
            return str(event.data.get("reason", ""))
        if event.kind == "mech_match" and event.depth == 0:
            return f"matched {event.data.get('raw', '')}"
    return ""
