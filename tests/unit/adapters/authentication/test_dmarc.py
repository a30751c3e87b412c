"""DMARC's look-ups over real DNS packets: what is asked, at once, and what silence does."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import dns.message
import dns.rcode
import pytest

from mailguard.adapters.authentication.dmarc import (
    MOST_IDENTIFIERS,
    at_hand,
    look_up,
    public_suffixes,
)
from mailguard.adapters.authentication.dns import CachingResolver
from mailguard.config.form.forms import Address
from mailguard.config.settings.schema import DnsSettings
from mailguard.core.authentication.dmarc import Registrable, evaluate
from mailguard.core.decision.facts import Dkim, Dmarc, Spf, Unavailable
from mailguard.demo.dns_server import DnsServer

ZONE = """
$TTL 300
_dmarc.example.org.        TXT "v=DMARC1; p=reject; " "sp=quarantine; np=none"
here.example.org.          A   192.0.2.1
below.there.example.org.   A   192.0.2.1
mx.example.org.            MX  10 here.example.org.
_dmarc.two.test.           TXT "v=DMARC1; p=reject"
_dmarc.two.test.           TXT "v=DMARC1; p=none"
_dmarc.others.test.        TXT "some site's verification"
_dmarc.others.test.        TXT "v=DMARC1; p=quarantine; t=y"
_dmarc.alias.test.         CNAME _dmarc.example.org.
_dmarc.xn--bcher-kva.test. TXT "v=DMARC1; p=reject"
_dmarc.deep.test.          TXT "v=DMARC1; p=reject"
_dmarc.servfail.example.org. TXT "never seen"
"""
NO_SPF = Spf("none", "elsewhere.test")


class Listening(DnsServer):
    """Keeps what was asked; slow, silent or failing where a name says so."""

    asked: list[str]

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        name = query.question[0].name.to_text(omit_final_dot=True)
        self.asked.append(name)
        if "silence" in name:
            return None
        if "servfail" in name:
            response = dns.message.make_response(query)
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        return super().answer(query)


async def check_dmarc(
    resolver: CachingResolver,
    author: str,
    spf: Spf | Unavailable,
    dkim: Sequence[Dkim] | Unavailable,
    *,
    deadline: float,
    registrable: Registrable | None = None,
) -> Dmarc:
    """Look-ups and result in one, where SPF and DKIM are known."""
    identifiers = [] if isinstance(dkim, Unavailable) else [one.domain for one in dkim]
    identifiers += [spf.domain] if isinstance(spf, Spf) else []
    answers = await look_up(resolver, author, identifiers, deadline=deadline)
    return evaluate(author, spf, dkim, answers, registrable)


@contextlib.asynccontextmanager
async def serving(timeout: float = 30) -> AsyncIterator[tuple[CachingResolver, list[str]]]:
    server = Listening(ZONE)
    server.asked = []
    host, port = await server.start()
    resolver = CachingResolver(
        DnsSettings(servers=(Address(host=host, port=port),), timeout=timeout)
    )
    try:
        yield resolver, server.asked
    finally:
        await resolver.close()
        await server.stop()


def soon(seconds: float = 5) -> float:
    return asyncio.get_running_loop().time() + seconds


def signed(domain: str, result: str = "pass") -> tuple[Dkim, ...]:
    return (Dkim(result, domain, "s1"),)


@pytest.mark.parametrize(
    ("author", "signer", "result", "policy"),
    [
        ("example.org", "example.org", "pass", "reject"),
        ("example.org", "a.example.org", "pass", "reject"),
        ("example.org", "elsewhere.test", "fail", "reject"),
        ("here.example.org", "elsewhere.test", "fail", "quarantine"),  # 4.10.1: it exists
        ("mx.example.org", "elsewhere.test", "fail", "quarantine"),  # A.4: any record will do
        ("there.example.org", "elsewhere.test", "fail", "quarantine"),  # RFC 8020
        ("gone.example.org", "elsewhere.test", "fail", "none"),  # 3.2.13: NXDOMAIN
        ("two.test", "two.test", "none", "none"),  # 4.10 step 2
        ("others.test", "elsewhere.test", "fail", "none"),  # 4.7: t=y
        ("alias.test", "elsewhere.test", "fail", "reject"),
        ("bücher.test", "xn--bcher-kva.test", "pass", "reject"),  # 5.3.1
        ("servfail.example.org", "example.org", "temperror", "none"),  # 5.3.6
        ("example.org", "servfail.example.org", "temperror", "reject"),
        ("nowhere.test", "elsewhere.test", "none", "none"),
        ("[192.0.2.1]", "example.org", "permerror", "none"),
        ("x" * 64 + ".example.org", "example.org", "permerror", "none"),
        ("\0.example.org", "example.org", "permerror", "none"),
    ],
)
async def test_check(author: str, signer: str, result: str, policy: str) -> None:
    async with serving() as (resolver, _):
        found = await check_dmarc(resolver, author, NO_SPF, signed(signer), deadline=soon())
        assert (found.result, found.policy) == (result, policy), found.reason


async def test_what_is_asked() -> None:
    async with serving() as (resolver, asked):
        await look_up(
            resolver, "a.deep.test", ["deep.test", "b.deep.test", "example.org"], deadline=soon()
        )
        assert sorted(asked) == [
            "_dmarc.a.deep.test",
            "_dmarc.b.deep.test",
            "_dmarc.deep.test",
            "_dmarc.test",
        ], "each name once, the same for all walks, none of another top-level domain"


async def test_4_10_eight_questions_for_any_number_of_labels() -> None:
    async with serving() as (resolver, asked):
        author = ".".join("abcdefghijklmnopqrstuvwxyz") + ".deep.test"
        answers = await look_up(resolver, author, [], deadline=soon())
        assert len(asked) == 8
        found = evaluate(author, NO_SPF, (), answers)
        assert (found.result, found.record_domain) == ("fail", "deep.test")


async def test_the_authors_existence_is_asked_for_only_where_np_differs() -> None:
    async with serving() as (resolver, asked):
        await look_up(resolver, "a.deep.test", [], deadline=soon())
        assert "a.deep.test" not in asked
        await look_up(resolver, "a.example.org", [], deadline=soon())
        assert asked.count("a.example.org") == 1


@pytest.mark.parametrize(
    ("author", "identifiers"),
    [
        ("example.org", ["example.org"]),
        ("nowhere.example.org", []),  # np= counts, so existence is asked for
        ("here.example.org", []),
        ("a.b.deep.test", ["mail.deep.test", "others.test"]),
        ("", ["example.org"]),
    ],
)
async def test_what_is_at_hand_is_what_looking_up_gives(
    author: str, identifiers: list[str]
) -> None:
    async with serving() as (resolver, asked):
        if author:
            assert at_hand(resolver, author, identifiers) is None and asked == []
        answers = await look_up(resolver, author, identifiers, deadline=soon())
        before = len(asked)
        assert at_hand(resolver, author, identifiers) == answers
        assert len(asked) == before


async def test_an_existence_that_is_not_known_is_not_at_hand() -> None:
    async with serving() as (resolver, _):
        for name in ("nowhere.example.org", "example.org", "org"):
            await resolver.look_up(f"_dmarc.{name}", "TXT")
        assert at_hand(resolver, "nowhere.example.org", []) is None
        await resolver.look_up("nowhere.example.org", "A")
        assert at_hand(resolver, "nowhere.example.org", []) is not None


async def test_a_flood_of_signatures_does_not_crowd_out_the_authors() -> None:
    async with serving() as (resolver, asked):
        flood = [f"d{n}.flood.org" for n in range(500)]
        dkim = tuple(Dkim("pass", domain) for domain in [*flood, "signer.example.org"])
        found = await check_dmarc(resolver, "example.org", NO_SPF, dkim, deadline=soon())
        assert found.result == "pass"
        assert len(asked) <= 8 * (MOST_IDENTIFIERS + 1)
        found = await check_dmarc(resolver, "example.org", NO_SPF, dkim[:-1], deadline=soon())
        assert found.result == "fail", "what was not asked is no temporary trouble"


async def test_questions_are_asked_at_once_and_the_deadline_is_for_all() -> None:
    async with serving(timeout=30) as (resolver, asked):
        author = "a.b.c.silence.test"
        found = await check_dmarc(resolver, author, NO_SPF, (), deadline=soon(1))
        assert found.result == "temperror" and "deadline" in found.reason
        assert {"_dmarc.a.b.c.silence.test", "_dmarc.test"} <= set(asked)
        late = await check_dmarc(resolver, "deep.test", NO_SPF, (), deadline=soon(-1))
        assert late.result == "temperror"


async def test_nothing_known_of_spf_and_dkim() -> None:
    async with serving() as (resolver, _):
        gone = Unavailable("no answer within 15 seconds")
        found = await check_dmarc(resolver, "example.org", gone, gone, deadline=soon())
        assert found == Dmarc(
            "temperror",
            policy="reject",
            domain="example.org",
            published="reject",
            record_domain="example.org",
            organizational_domain="example.org",
            reason="SPF: no answer within 15 seconds",
        )


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("a.b.example.co.uk", "example.co.uk"),
        ("co.uk", None),
        ("a.example.test", "example.test"),
        ("test", None),
        ("a.xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_public_suffixes(domain: str, expected: str | None) -> None:
    assert public_suffixes()(domain) == expected


async def test_alignment_by_the_public_suffix_list_where_no_record_is() -> None:
    async with serving() as (resolver, _):
        author, signer = "news.example.co.uk", "mail.example.co.uk"
        for domain, expected in ((signer, ("dkim",)), ("other.co.uk", ()), ("co.uk", ())):
            found = await check_dmarc(
                resolver,
                author,
                NO_SPF,
                signed(domain),
                deadline=soon(),
                registrable=public_suffixes(),
            )
            assert (found.result, found.aligned) == ("none", expected)
