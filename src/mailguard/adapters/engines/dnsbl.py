"""Lists in DNS, of client addresses (RFC 5782 2.1, 2.4) and of domains (3.1).

Owns what is asked and what an answer means: 127.255.255.0/24 is the list's refusal, an address
outside 127.0.0.0/8 that the zone is no list any more, and neither is a listing. Must not know what
the points lead to.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Iterable

from mailguard.adapters.authentication.dns import Resolver
from mailguard.adapters.engines.engine import NoAnswer, heaviest, words
from mailguard.config.settings.engines import DnsblSettings
from mailguard.core.authentication.dns_answers import Answer, Records
from mailguard.core.decision.engines import Scanned, Symbol, Target
from mailguard.core.decision.facts import Unavailable
from mailguard.core.links import sealed
from mailguard.core.links.public_suffix import registrable
from mailguard.core.mail import address
from mailguard.core.mail.transaction import Origin, Transaction
from mailguard.core.text.reading import Reading

_DOMAINS = 20  # asked for of one message
_LINKS = 1_000  # looked at
_LISTED = ipaddress.ip_network("127.0.0.0/8")
_REFUSED = ipaddress.ip_network("127.255.255.0/24")


class Dnsbl:
    """One zone."""

    target = Target.SPAM

    def __init__(self, settings: DnsblSettings, resolver: Resolver) -> None:
        self.name = settings.zone
        self._settings = settings
        self._resolver = resolver

    async def ask(
        self, transaction: Transaction, reading: Awaitable[Reading | Unavailable]
    ) -> Scanned:
        settings = self._settings
        asked: list[str] = []
        if settings.clients and transaction.origin is Origin.OUTSIDE:
            asked += reversed_address(transaction.envelope.client_address)
        if settings.domains:
            read = await reading
            if isinstance(read, Unavailable):
                raise NoAnswer(f"the links are not known: {read.unavailable}")
            asked += domains(transaction, read)
        names = [f"{label}.{settings.zone}" for label in asked]
        answers = await asyncio.gather(*(self._resolver.look_up(name, "A") for name in names))
        return judged(dict(zip(asked, answers, strict=True)), settings)


def reversed_address(client_address: str) -> list[str]:
    """The labels under which lists have an address; none for what is no address."""
    try:
        client = ipaddress.ip_address(client_address)
    except ValueError:
        return []
    if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped is not None:
        client = client.ipv4_mapped
    return [client.reverse_pointer.removesuffix(".in-addr.arpa").removesuffix(".ip6.arpa")]


def domains(transaction: Transaction, reading: Reading) -> list[str]:
    """The registrable domains of author, reverse-path and links, in this order, each once."""
    mailboxes = (*transaction.message.author.addresses[:10], transaction.envelope.reverse_path)
    hosts = [address.domain_of(mailbox) for mailbox in mailboxes]
    hosts += [sealed.host(link.target) for link in reading.links[:_LINKS]]
    found = dict.fromkeys(_registrable(hosts))
    return list(found)[:_DOMAINS]


def _registrable(hosts: Iterable[str]) -> Iterable[str]:
    for host in hosts:
        ascii_form, _ = sealed.readings_of_host(host)
        domain = registrable(ascii_form)
        plain = all(c.isascii() and (c.isalnum() or c in "-._") for c in domain)
        if domain and plain and not domain.rpartition(".")[2].isdigit():  # no IPv4 address
            yield domain


def judged(answers: dict[str, Answer], settings: DnsblSettings) -> Scanned:
    """The heaviest listing. Raises NoAnswer where there is none and a question stayed open."""
    listings: list[tuple[float, Symbol]] = []
    open_reason = ""
    for asked, answer in answers.items():
        if isinstance(answer, Unavailable):
            open_reason = answer.unavailable
        elif isinstance(answer, Records):
            for value in answer.values:
                code = _code(value)
                if code is None or code in _REFUSED:
                    said = words(value.decode("ascii", "replace"))
                    open_reason = f"it answers {said}, which is no listing"
                else:
                    points = settings.codes.get(str(code), settings.points)
                    listings.append((points, Symbol(f"{code}({asked})", points)))
    if not listings:
        if open_reason:
            raise NoAnswer(open_reason)
        return Scanned(0.0, spam=False)
    points = max((points for points, _ in listings), key=abs)
    symbols = heaviest([symbol for _, symbol in listings])
    return Scanned(points, points > 0, symbols, points=points)


def _code(value: bytes) -> ipaddress.IPv4Address | None:
    try:
        code = ipaddress.IPv4Address(value.decode("ascii"))
    except ValueError:
        return None
    return code if code in _LISTED else None
