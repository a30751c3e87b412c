"""SPF's guards, with hostile records served over real DNS packets; the RFC's own cases are in
tests/suites."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest
from tests.support import cost
from tests.support.waiting import PATIENCE

from mailguard.adapters.authentication.dns import CachingResolver
from mailguard.adapters.authentication.spf import LONGEST_EXPLANATION, check_spf
from mailguard.config.form.forms import Address
from mailguard.config.settings.schema import DnsSettings
from mailguard.core.decision.facts import Spf, Unavailable
from mailguard.demo.dns_server import DnsServer

RESULTS = {"none", "neutral", "pass", "fail", "softfail", "temperror", "permerror"}
INCLUDES = "\n".join(
    f'chain{n}.test. TXT "v=spf1 include:chain{n + 1}.test -all"' for n in range(12)
)
ZONE = f"""
$TTL 300
example.org.        TXT "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ~all"
mail.example.org.   TXT "v=spf1 a -all"
mail.example.org.   A   192.0.2.25
explained.test.     TXT "v=spf1 -all exp=why.test"
why.test.           TXT "%{{i}} may not\\013\\010send \\"mail\\" for %{{d}}: ask %{{r}}"
noisy.test.         TXT "v=spf1 -all exp=noise.test"
noise.test.         TXT "no\\013\\010550 forged"
broad.test.         TXT "v=spf1 -all exp=breadth.test"
breadth.test.       TXT {" ".join(f'"{"%{s}" * 60}"' for _ in range(20))}
loop.test.          TXT "v=spf1 include:loop.test -all"
around.test.        TXT "v=spf1 redirect=around.test"
{INCLUDES}
chain12.test.       TXT "v=spf1 +all"
voids.test.         TXT "v=spf1 a:v1.test a:v2.test a:v3.test +all"
ten.test.           TXT "v=spf1 {" ".join(f"a:example.org{'.' * (n % 2)}" for n in range(10))} -all"
eleven.test.        TXT "v=spf1 {" ".join("a:mail.example.org" for n in range(11))} -all"
two.test.           TXT "v=spf1 +all"
two.test.           TXT "v=spf1 -all"
nul.test.           TXT "v=spf1 +all\\000"
high.test.          TXT "v=spf1 +all \\195\\169=x"
digits.test.        TXT "v=spf1 exists:%{{d{"9" * 200}}}.test -all"
zone.test.          TXT "v=spf1 ip6:fe80::1%1 -all"
local.test.         TXT "v=spf1 exists:%{{l}}.at.test -all"
plus.at.test.       A   127.0.0.2
xn--bcher-kva.test. TXT "v=spf1 +all"
silent.test.        TXT "v=spf1 include:silence.test -all"
long.test.          TXT {" ".join('"v=spf1 ' + "ip4:198.51.100.1 " * 14 + '"' for _ in range(20))}
many.test.          TXT "v=spf1 " {('"' + "a= " * 40 + '" ') * 20}
crowd.test.         TXT "v=spf1 a:people.test -all"
"""


class Odd(DnsServer):
    """Silent where the name says so; one name has thousands of addresses."""

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name = question.name.to_text()
        if name.startswith("silence"):
            return None
        response = dns.message.make_response(query)
        if name.startswith("servfail"):
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        if name == "people.test." and question.rdtype == dns.rdatatype.A:
            addresses = [f"10.0.{n // 250}.{n % 250}" for n in range(3_000)]
            response.answer.append(dns.rrset.from_text(name, 60, "IN", "A", *addresses))
            return response
        return super().answer(query)


class Checker:
    """Asks for one client against the zone."""

    def __init__(self, resolver: CachingResolver) -> None:
        self.resolver = resolver

    async def __call__(
        self,
        reverse_path: str,
        client: str = "192.0.2.25",
        helo: str = "mail.example.org",
        seconds: float = 10,
    ) -> Spf | Unavailable:
        deadline = asyncio.get_running_loop().time() + seconds
        return await check_spf(
            self.resolver, client, helo, reverse_path, deadline=deadline, receiver="mx.example.net"
        )


@contextlib.asynccontextmanager
async def checking(zone: str = ZONE, timeout: float = 30) -> AsyncIterator[Checker]:
    server = Odd(zone)
    host, port = await server.start()
    resolver = CachingResolver(
        DnsSettings(servers=(Address(host=host, port=port),), timeout=timeout)
    )
    try:
        yield Checker(resolver)
    finally:
        await resolver.close()
        await server.stop()


@pytest.mark.parametrize(
    ("reverse_path", "client", "result"),
    [
        ("a@example.org", "192.0.2.25", "pass"),
        ("a@EXAMPLE.org", "192.0.2.25", "pass"),
        ("a@example.org.", "192.0.2.25", "pass"),
        ("a@example.org", "198.51.100.1", "softfail"),
        ("a@example.org", "2001:db8::1", "pass"),
        ("a@example.org", "2001:db9::1", "softfail"),
        ("a@example.org", "::ffff:192.0.2.25", "pass"),
        ("a@example.org", "::ffff:198.51.100.1", "softfail"),
        ('"a@b c"@example.org', "192.0.2.25", "pass"),
        ("a@nowhere.test", "192.0.2.25", "none"),
        ("a@[192.0.2.25]", "192.0.2.25", "none"),
        ("a@localhost", "192.0.2.25", "none"),
        ("a@" + "x" * 64 + ".test", "192.0.2.25", "none"),
        ("a@a..test", "192.0.2.25", "none"),
        ("no domain", "192.0.2.25", "none"),
        ("a@bücher.test", "192.0.2.25", "pass"),
        ("plus@local.test", "192.0.2.25", "pass"),
        ("other@local.test", "192.0.2.25", "fail"),
        ("jürgen@local.test", "192.0.2.25", "fail"),
        ("@@local.test", "192.0.2.25", "fail"),
        ("a@two.test", "192.0.2.25", "permerror"),
        ("a@nul.test", "192.0.2.25", "permerror"),
        ("a@high.test", "192.0.2.25", "permerror"),
        ("a@loop.test", "192.0.2.25", "permerror"),
        ("a@around.test", "192.0.2.25", "permerror"),
        ("a@chain0.test", "192.0.2.25", "permerror"),
        ("a@chain2.test", "192.0.2.25", "pass"),
        ("a@voids.test", "192.0.2.25", "permerror"),
        ("a@eleven.test", "192.0.2.99", "permerror"),
        ("a@long.test", "192.0.2.25", "permerror"),
        ("a@many.test", "192.0.2.25", "permerror"),
        ("a@crowd.test", "192.0.2.25", "permerror"),
        ("a@servfail.test", "192.0.2.25", "temperror"),
    ],
)
async def test_results(reverse_path: str, client: str, result: str) -> None:
    async with checking() as check:
        found = await check(reverse_path, client)
        assert isinstance(found, Spf) and found.identity == "mailfrom"
        assert found.result == result, found.reason


async def test_the_null_reverse_path_is_postmaster_at_the_helo_name() -> None:
    async with checking() as check:
        expected = Spf("pass", "mail.example.org", "mailfrom", "matched a")
        assert await check("") == expected
        assert (await check("", "198.51.100.1")).result == "fail"
        assert (await check("", helo="[192.0.2.25]")).result == "none"
        assert (await check("", helo="")).result == "none"


@pytest.mark.parametrize("client", ["", "unknown", "192.0.2.256", "x" * 10_000])
async def test_without_a_client_address_nothing_is_known(client: str) -> None:
    async with checking() as check:
        assert isinstance(await check("a@example.org", client), Unavailable)


async def test_an_explanation_is_printable_and_short() -> None:
    async with checking() as check:
        found = await check("a@explained.test")
        # The control characters make it no explain-string (RFC 7208 6.2): it is left out.
        assert (found.result, found.explanation) == ("fail", "")
        assert (await check("a@noisy.test")).explanation == ""
        broad = await check("a" * 60 + "@broad.test")
        assert broad.result == "fail" and len(broad.explanation) <= LONGEST_EXPLANATION


async def test_an_explanation_with_spaces() -> None:
    zone = """
plain.test.  300 TXT "v=spf1 -all exp=text.test"
text.test.   300 TXT "%{i} may not send for %{d}: " "ask %{r}  100%%"
"""
    async with checking(zone) as check:
        found = await check("a@plain.test")
        expected = "192.0.2.25 may not send for plain.test: ask mx.example.net  100%"
        assert found == Spf("fail", "plain.test", "mailfrom", "matched -all", expected)


async def test_silence_is_temperror_and_our_deadline_is_unavailable() -> None:
    async with checking(timeout=0.3) as check:
        assert (await check("a@silent.test")).result == "temperror"
    async with checking(timeout=60) as check:
        assert isinstance(await check("a@silent.test", seconds=0.2), Unavailable)
        assert isinstance(await check("a@silent.test", seconds=-1), Unavailable)


async def test_a_trouble_of_the_resolver_is_no_exception() -> None:
    class Broken:
        async def look_up(self, name: str, record_type: str) -> object:
            raise KeyError(name)

    deadline = asyncio.get_running_loop().time() + PATIENCE
    found = await check_spf(
        Broken(),
        "192.0.2.1",
        "",
        "a@example.org",
        deadline=deadline,  # type: ignore[arg-type]  # broken on purpose
    )
    assert found == Unavailable("SPF: KeyError")


class Fixed:
    """The same record for every question."""

    def __init__(self, values: tuple[bytes, ...]) -> None:
        self.values = values

    async def look_up(self, name: str, record_type: str) -> object:
        from mailguard.core.authentication.dns_answers import Records

        if record_type == "TXT":
            return Records(self.values)
        return Records(
            {"MX": (b"10 x.test.", b"garbage"), "PTR": (b"x.test.",)}.get(
                record_type, (b"not an address", b"192.0.2.1")
            )
        )


PIECES = [
    *[
        "a",
        "mx",
        "ptr",
        "ip4:1.2.3.4",
        "ip6:::1",
        "ip6:fe80::1%1",
        "ip6:1::/129",
        "exists:",
        "include:",
        "redirect=",
        "exp=",
    ],
    *[
        "%{",
        "%{d",
        "}",
        "%{l1r-}",
        "%{p}",
        "%{t}",
        "%%",
        "%_",
        "%",
        "/",
        "//",
        "/33",
        ":",
        "=",
        "all",
        "-",
        "~",
        "?",
        ".",
        "x.test",
        "v=spf1",
        "@",
        "\\",
    ],
    *(" ", " ", " ", "\0", "\n", "é", "9" * 100),
]


async def test_hostile_records_never_raise() -> None:
    chance = random.Random(7208)
    deadline = asyncio.get_running_loop().time() + PATIENCE
    for _ in range(3_000):
        text = "v=spf1 " + "".join(chance.choices(PIECES, k=chance.randint(1, 12)))
        local = "".join(chance.choices(PIECES, k=3))
        found = await check_spf(
            Fixed((text.encode(),)),  # type: ignore[arg-type]  # bytes of any kind
            chance.choice(("192.0.2.1", "2001:db8::1")),
            "".join(chance.choices(PIECES, k=2)),
            f"{local}@x.test",
            deadline=deadline,
        )
        assert isinstance(found, Spf), (text, found)
        assert found.result in RESULTS
        assert (found.reason + found.explanation).isprintable()


@pytest.mark.parametrize(
    "text",
    [
        cost.growing("a= ", 1_300, "v=spf1 "),
        cost.growing("%{d", 1_300, "v=spf1 a="),
        cost.growing("9", 4_000, "v=spf1 exists:%{d", "}.x.test"),
        cost.growing("/", 4_000, "v=spf1 a:"),
        cost.growing("/1", 2_000, "v=spf1 a:"),
        cost.growing("x", 4_000, "v=spf1 a:", "!"),
        cost.growing("ip4:1.2.3.4 ", 340, "v=spf1 "),
        cost.growing("include:x.test ", 270, "v=spf1 "),
        cost.growing(" ", 60_000, "v=spf1 "),
        cost.growing("x.", 2_000, "v=spf1 exp="),
    ],
    ids=str,
)
def test_a_long_record_holds_nobody_up(text: cost.Growing[str]) -> None:
    with asyncio.Runner() as runner:
        loop = runner.get_loop()

        def checked(text: str) -> None:
            found = loop.run_until_complete(
                check_spf(
                    Fixed((text.encode(),)),
                    "192.0.2.9",
                    "x.test",
                    "a@x.test",
                    deadline=loop.time() + 60,  # type: ignore[arg-type]  # any
                )
            )
            assert isinstance(found, Spf)

        cost.assert_linear(text, checked)
