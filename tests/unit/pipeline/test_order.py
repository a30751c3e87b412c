"""Identity is checked on the original, edits come after, signatures last; the archive keeps what
came in."""

from __future__ import annotations

from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from tests.support import steps
from tests.support.story import Ports, make_world

from mailguard.adapters.signing.signatures import Signatures
from mailguard.checks.disclaimer.check import Disclaimer
from mailguard.checks.links.check import Links
from mailguard.config.notices import TEMPLATES
from mailguard.core.authentication.arc import verify as verify_arc
from mailguard.core.authentication.dkim import verify_with_keys
from mailguard.core.authentication.dkim_canonical import canonical
from mailguard.core.authentication.dkim_signing import Signer, SigningKey, record_of
from mailguard.core.authentication.dns_answers import Answer, Records
from mailguard.core.decision.facts import Arc, Dmarc, Spf
from mailguard.core.decision.policy import Policy, PolicyStep
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.model import Account, Person
from mailguard.pipeline.ports import Authentication
from mailguard.pipeline.snapshot import Snapshot

NOW = 1_790_000_000.0
DISTRICT = replace(steps.DISTRICT, copy_page_url="https://links.example.org")
KEYS = (b"k" * 32,)
OURS = SigningKey("example.org", "s1", generate_private_key(65537, 2048))
THEIRS = SigningKey("home.test", "h1", generate_private_key(65537, 2048))
PUBLIC: dict[str, Answer] = {
    f"{key.selector}._domainkey.{key.domain}": Records((record_of(key.key).encode(),))
    for key in (OURS, THEIRS)
}
JANE = Person("jane", "Jane Doe", ("jane@example.org",))
DIRECTORY = Directory(
    people={"jane": JANE}, accounts={"jane": Account("jane", JANE.addresses, "jane")}
)


class Town(Ports):
    """Ports that keep what was archived, and authenticate with the keys at hand."""

    archived: bytes = b""
    seen: bytes = b""

    async def store(self, raw: bytes, envelope: object) -> str:
        self.archived = raw
        return "ab" * 32

    async def authenticate(self, transaction: Transaction) -> Authentication:
        self.seen = raw = transaction.message.raw
        arc = verify_arc(canonical(raw), PUBLIC, NOW)
        assert isinstance(arc, Arc)
        return Authentication(
            Spf("none", "home.test"), verify_with_keys(raw, PUBLIC, NOW), arc, Dmarc("none")
        )


async def sent(raw: bytes, role: Role, reverse_path: str, recipient: str) -> tuple[Town, bytes]:
    account = "jane" if role is Role.SUBMISSION else None
    steps = (
        PolicyStep(
            Disclaimer(), Disclaimer.Settings(), {k.code: k.default for k in Disclaimer.findings}
        ),
        PolicyStep(Links(), Links.Settings(), {k.code: k.default for k in Links.findings}),
    )
    notices = {name: kind.text for name, kind in TEMPLATES.items()}
    policy = Policy(steps, "p")
    snapshot = Snapshot(DISTRICT, policy, DIRECTORY, {}, notices, "d", link_keys=KEYS)
    town = Town()
    world = make_world(town).but(signing=Signatures((OURS,), True), clock=lambda: NOW)
    envelope = Envelope(reverse_path, (recipient,), "192.0.2.1", "", "h.test", account)
    transaction = Transaction("0" * 26, NOW, Listener("l", role), envelope, mime.parse(raw))
    assert (await world.accept(transaction, snapshot)).code == 250
    return town, town.relayed[recipient]


async def test_a_signature_on_the_edited_copy_verifies() -> None:
    raw = (
        b"From: Jane Doe <jane@example.org>\r\nTo: lan@home.test\r\nSubject: Trip\r\n"
        b"Date: Mon, 2 Nov 2026 10:00:00 -0800\r\nMessage-ID: <1@example.org>\r\n\r\nHello\r\n"
    )
    town, copy = await sent(raw, Role.SUBMISSION, "jane@example.org", "lan@home.test")
    assert town.archived == town.seen == raw
    assert b"CONFIDENTIALITY NOTICE" in copy
    (found,) = verify_with_keys(copy, PUBLIC, NOW)
    assert (found.result, found.domain, found.reason) == ("pass", "example.org", "")
    # It covers the edit, and nothing but unsigned trace fields stands above it.
    cut = copy.replace(b"CONFIDENTIALITY", b"CONFIDENTIALlTY")
    assert verify_with_keys(cut, PUBLIC, NOW)[0].result == "fail"


async def test_a_signed_mail_whose_links_are_changed_is_sealed() -> None:
    body = b"See https://site.test/page now.\r\n"
    raw = (
        b"From: Lan Ruiz <lan@home.test>\r\nTo: jane@example.org\r\nSubject: Trip\r\n"
        b"Date: Mon, 2 Nov 2026 10:00:00 -0800\r\nMessage-ID: <1@home.test>\r\n\r\n" + body
    )
    raw = Signer((THEIRS,)).sign(raw, "home.test", NOW) + raw
    town, copy = await sent(raw, Role.MX, "lan@home.test", "jane@example.org")
    assert town.archived == town.seen == raw
    assert b"https://site.test/page" not in copy
    # Their signature is broken by the edit, openly: the seal says what it was before.
    assert verify_with_keys(copy, PUBLIC, NOW)[0].result == "fail"
    arc = verify_arc(canonical(copy), PUBLIC, NOW)
    assert isinstance(arc, Arc)
    assert (arc.cv, arc.reason) == ("pass", "")
    (ours,) = arc.sets
    assert ours.domain == "example.org"
    assert "dkim=pass" in ours.results
    assert "header.d=home.test" in ours.results
    edited = copy.replace(b" now.", b" then.")
    assert verify_arc(canonical(edited), PUBLIC, NOW).cv == "fail"


async def test_what_is_not_edited_keeps_its_signature_and_is_not_sealed() -> None:
    raw = (
        b"From: Lan Ruiz <lan@home.test>\r\nTo: jane@example.org\r\nSubject: Trip\r\n"
        b"Date: Mon, 2 Nov 2026 10:00:00 -0800\r\nMessage-ID: <1@home.test>\r\n\r\nHello\r\n"
    )
    raw = Signer((THEIRS,)).sign(raw, "home.test", NOW) + raw
    _, copy = await sent(raw, Role.MX, "lan@home.test", "jane@example.org")
    assert copy.endswith(raw)
    assert verify_with_keys(copy, PUBLIC, NOW)[0].result == "pass"
    assert b"ARC-Seal" not in copy
