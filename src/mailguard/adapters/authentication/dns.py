"""DNS look-ups with time-outs, a bounded cache and one question for askers at the same time.

Owns the way to the configured resolvers. "No answer" is never mistaken for "no such record". Must
not know what the records mean.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Protocol

import dns.asyncresolver
import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.rdtypes.txtbase
import dns.resolver

from mailguard.config.form.forms import Address
from mailguard.config.settings.schema import DnsSettings
from mailguard.core.authentication.dns_answers import Answer, NoData, NxDomain, Records
from mailguard.core.decision.facts import Unavailable
from mailguard.metrics import DNS_QUERIES

CACHED = 10_000  # answers
LONGEST = 3_600.0  # seconds that any answer is kept
LONGEST_NEGATIVE = 300.0  # RFC 2308 5 allows hours; a new record should work sooner
PAYLOAD = 1_232  # octets of a UDP answer that no path fragments


class Resolver(Protocol):
    """Whoever answers DNS questions."""

    def known(self, name: str, record_type: str) -> Answer | None:
        """The answer where it need not be waited for; else None, and nobody is asked."""
        ...

    async def look_up(self, name: str, record_type: str) -> Answer:
        """The answer; Unavailable for a time-out, SERVFAIL or REFUSED. Never raises."""
        ...


class CachingResolver:
    """Asks the configured servers. Names are absolute; search lists are not used."""

    def __init__(self, settings: DnsSettings) -> None:
        self._lifetime = settings.timeout
        self._resolver = _resolver(settings)
        self._cache: dict[tuple[str, str], tuple[float, Answer]] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[Answer]] = {}

    def known(self, name: str, record_type: str) -> Answer | None:
        """The answer that the cache has, where its TTL allows."""
        key = _key(name, record_type)
        found = self._cache.get(key)
        if found is None:
            return None
        if found[0] > asyncio.get_running_loop().time():
            return found[1]
        del self._cache[key]
        return None

    async def look_up(self, name: str, record_type: str) -> Answer:
        """The answer, from the cache where its TTL allows. Never raises.

        Unavailable is not cached. An asker that is cancelled does not cancel the question.
        """
        known = self.known(name, record_type)
        if known is not None:
            return known
        key = _key(name, record_type)
        asking = self._asking.get(key)
        if asking is None:
            asking = asyncio.create_task(self._ask(key))
            self._asking[key] = asking
        await asyncio.wait((asking,))
        return Unavailable("closing") if asking.cancelled() else asking.result()

    async def probe(self) -> Unavailable | None:
        """None where a server answers at all. For readiness."""
        answer = await self._query(".", "NS")
        return answer[0] if isinstance(answer[0], Unavailable) else None

    async def close(self) -> None:
        """Give up the questions under way."""
        for asking in list(self._asking.values()):
            asking.cancel()

    async def _ask(self, key: tuple[str, str]) -> Answer:
        try:
            answer, seconds = await self._query(*key)
            if seconds > 0:
                if len(self._cache) >= CACHED:
                    del self._cache[next(iter(self._cache))]  # the oldest
                self._cache[key] = (asyncio.get_running_loop().time() + seconds, answer)
            return answer
        finally:
            self._asking.pop(key, None)

    async def _query(self, name: str, record_type: str) -> tuple[Answer, float]:
        """The answer and the seconds it may be kept."""
        answer: Answer
        seconds = 0.0
        if self._resolver is None:
            answer = Unavailable("no DNS servers are configured")
        else:
            try:
                absolute = _absolute(name)
                found = await self._resolver.resolve(
                    absolute,
                    record_type,
                    raise_on_no_answer=False,
                    search=False,
                    lifetime=self._lifetime,
                )
                if found.rrset is None:
                    answer = NoData()
                    seconds = _negative_seconds([found.response])
                else:
                    answer = Records(tuple(_value(rdata) for rdata in found.rrset))
                    seconds = min(float(found.rrset.ttl), LONGEST)
            except dns.resolver.NXDOMAIN as error:
                answer = NxDomain()
                seconds = _negative_seconds(error.kwargs["responses"].values())
            except dns.exception.Timeout:
                answer = Unavailable("DNS time-out")
            except (dns.name.LabelTooLong, dns.name.EmptyLabel, dns.name.NameTooLong):
                answer = NxDomain()  # RFC 1035 2.3.4: no such name can be
            except (dns.exception.DNSException, OSError, UnicodeError) as error:
                answer = Unavailable(f"DNS failure: {type(error).__name__}")
        DNS_QUERIES.labels(type(answer).__name__.lower()).inc()
        return answer, seconds


def _key(name: str, record_type: str) -> tuple[str, str]:
    return name.lower().rstrip("."), record_type


def _absolute(name: str) -> dns.name.Name:
    """The labels as they stand: in a mail domain "@" and "\\" are no zone file's signs.

    Raises dns.name.LabelTooLong, EmptyLabel, NameTooLong, or UnicodeError."""
    name = name.removesuffix(".")
    if not name:
        return dns.name.root
    if not name.isascii():
        return dns.name.from_text(name)  # as A-labels
    return dns.name.Name((*name.encode("ascii").split(b"."), b""))


def _value(rdata: object) -> bytes:
    if isinstance(rdata, dns.rdtypes.txtbase.TXTBase):
        return b"".join(rdata.strings)
    return str(rdata).encode()


def _negative_seconds(responses: Sequence[dns.message.Message]) -> float:
    """RFC 2308 5: the SOA's TTL or minimum, whichever is less."""
    for response in responses:
        for rrset in response.authority:
            if rrset.rdtype is dns.rdatatype.SOA:
                return min(float(rrset.ttl), float(rrset[0].minimum), LONGEST_NEGATIVE)
    return 0.0


def _resolver(settings: DnsSettings) -> dns.asyncresolver.Resolver | None:
    if settings.servers:
        resolver = dns.asyncresolver.Resolver(configure=False)
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(_numeric(server), server.port)
            for server in settings.servers
        ]
    else:
        try:
            resolver = dns.asyncresolver.Resolver()
        except dns.resolver.NoResolverConfiguration:
            return None
    # Half of the time for one try, so that a datagram may be lost once, or a server be down.
    resolver.timeout = settings.timeout / max(2, len(resolver.nameservers))
    resolver.use_edns(0, 0, PAYLOAD)
    return resolver


def _numeric(server: Address) -> str:
    """A server's IP address; a name is looked up once, at start-up. Raises OSError."""
    try:
        return str(ipaddress.ip_address(server.host))
    except ValueError:
        return str(socket.getaddrinfo(server.host, server.port, type=socket.SOCK_DGRAM)[0][4][0])
