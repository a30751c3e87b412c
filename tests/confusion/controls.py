"""Honest mail in all the forms that it takes: authenticated as its own author, and forwarded."""

from __future__ import annotations

from tests.confusion.letters import Case, letter, own, sealed, sign, signed
from tests.confusion.world import (
    ATTACKER,
    FORWARDER,
    FORWARDER_IP,
    NEWSLETTER,
    NOPOLICY,
    NOW,
    VICTIM,
    VICTIM_ED,
    VICTIM_IDN,
    VICTIM_MAIL,
)

_AUTHOR = b"From: Alice <alice@victim.test>"
_PLAIN = letter(_AUTHOR)
_SIGNED = signed(_PLAIN, VICTIM)


def _own(name: str, tries: str, raw: bytes, **more: str) -> Case:
    """Mail from the victim's own server."""
    return Case(name, tries, **own(raw, **{"ends": "forward", **more}))  # type: ignore[arg-type]  # a case's fields


def _by_dkim(name: str, tries: str, raw: bytes, **more: str) -> Case:
    """Mail that came round by another server: DKIM alone can vouch for it."""
    reverse_path = more.pop("reverse_path", "bounces@forwarder.test")
    helo, client_ip = more.pop("helo", "forwarder.test"), more.pop("client_ip", FORWARDER_IP)
    return Case(name, tries, raw, client_ip, helo, reverse_path, ends="forward", **more)


def _signed(*author: bytes, **more: object) -> bytes:
    return signed(letter(*author, **more), VICTIM)  # type: ignore[arg-type]  # passed on


CONTROLS = (
    _own("spf-alone", "From its own server, without a signature.", _PLAIN),
    _own("spf-and-dkim", "From its own server, signed.", _SIGNED),
    _by_dkim("dkim-alone", "Forwarded by a server that rewrites the reverse-path.", _SIGNED),
    _by_dkim(
        "dkim-null-reverse-path",
        "Forwarded with the null reverse-path.",
        _SIGNED,
        reverse_path="",
    ),
    _by_dkim("ed25519", "Signed with Ed25519.", signed(_PLAIN, VICTIM_ED)),
    _by_dkim("simple", "Signed in simple/simple form.", sign(_PLAIN, VICTIM, relaxed=False)),
    _by_dkim(
        "not-oversigned",
        "A signature that covers what is there, and no lack of anything.",
        sign(_PLAIN, VICTIM, names=(b"from", b"to", b"subject", b"date", b"message-id")),
    ),
    _by_dkim(
        "identity-below-domain",
        "i= at a subdomain of d=.",
        sign(_PLAIN, VICTIM, tags=[(b"i", b"@news.victim.test")]),
    ),
    _by_dkim(
        "expires-tomorrow",
        "x= is still to come.",
        sign(_PLAIN, VICTIM, tags=[(b"x", b"%d" % (NOW + 86_400))]),
    ),
    _by_dkim(
        "relaxed-alignment",
        "The mail host's own domain signs for the domain above it.",
        signed(_PLAIN, VICTIM_MAIL),
    ),
    _by_dkim(
        "two-signatures",
        "A forwarder's signature above the author's.",
        signed(_SIGNED, FORWARDER),
    ),
    _by_dkim(
        "broken-signature-beside-good",
        "A signature that no longer verifies above one that does.",
        signed(_PLAIN, ATTACKER).replace(b"bh=", b"bh=A", 1)[: -len(_PLAIN)] + _SIGNED,
    ),
    _by_dkim(
        "trace-on-top",
        "Received and others' Authentication-Results put on top on the way.",
        b"Received: from a by b; Mon, 21 Sep 2026 14:13:25 +0000\r\n"
        b"Authentication-Results: forwarder.test; dkim=pass header.d=victim.test\r\n" + _SIGNED,
    ),
    _by_dkim(
        "resent",
        "Resent by a colleague, the author's signature whole.",
        b"Resent-From: bob@forwarder.test\r\nResent-Date: Mon, 21 Sep 2026 14:13:25 +0000\r\n"
        + sign(_PLAIN, VICTIM, names=(b"from", b"to", b"subject", b"date")),
    ),
    _own(
        "sender-field",
        "An assistant sends for the author, both at the victim's.",
        _signed(_AUTHOR, extra=[b"Sender: Bob <bob@victim.test>"]),
    ),
    _own("address-alone", "An author without a name.", _signed(b"From: alice@victim.test")),
    _own(
        "comment-for-name",
        "The old way: the name as a comment after the address.",
        _signed(b"From: alice@victim.test (Alice)"),
    ),
    _own(
        "quoted-name",
        "A quoted name with a comma in it.",
        _signed(b'From: "Doe, Alice" <alice@victim.test>'),
    ),
    _own(
        "encoded-name",
        "A name in encoded words.",
        _signed(b"From: =?utf-8?q?Al=C3=ADce_Do=C3=A9?= <alice@victim.test>"),
    ),
    _own("utf8-name", "A name in UTF-8.", _signed("From: Alíce <alice@victim.test>".encode())),
    _own(
        "folded-name",
        "A name and an address on two lines.",
        _signed(b"From: Alice of the Department of Excursions and Travel\r\n <alice@victim.test>"),
    ),
    _own("capitals", "A domain in capitals.", _signed(b"From: Alice <Alice@VICTIM.test>")),
    _own("name-in-capitals", "The field's name in capitals.", _signed(b"FROM: alice@victim.test")),
    _own(
        "reply-to-elsewhere",
        "Answers are to go to a colleague.",
        _signed(_AUTHOR, extra=[b"Reply-To: Bob <bob@victim.test>"]),
    ),
    _own(
        "subdomain",
        "A subdomain that signs by its parent's key, under its parent's policy.",
        _signed(b"From: alice@news.victim.test"),
        victim="alice@news.victim.test",
    ),
    _by_dkim(
        "international-a-label",
        "An international domain as A-labels.",
        signed(letter(b"From: alice@xn--bcher-kva.test"), VICTIM_IDN),
        victim="alice@xn--bcher-kva.test",
    ),
    _by_dkim(
        "international-u-label",
        "An international domain as U-labels (RFC 6532), its policy and key at the A-labels.",
        signed(letter("From: alice@bücher.test".encode()), VICTIM_IDN),
        victim="alice@xn--bcher-kva.test",
    ),
    _own(
        "bounce",
        "A bounce: the null reverse-path, HELO as the victim.",
        letter(
            b"From: postmaster@victim.test",
            extra=[b"Auto-Submitted: auto-replied"],
            subject=b"Undelivered mail",
        ),
        reverse_path="",
        helo="victim.test",
        victim="postmaster@victim.test",
    ),
    Case(
        "attacker-as-oneself",
        "The attacker's domain, in its own name: an ordinary sender.",
        signed(letter(b"From: mallory@attacker.test"), ATTACKER),
        victim="mallory@attacker.test",
        ends="forward",
    ),
    _by_dkim(
        "newsletter-of-the-district",
        "A service outside sends as the district, with a key that the district published for it.",
        signed(letter(b"From: EVUSD News <news@example.org>"), NEWSLETTER),
        victim="news@example.org",
    ),
)

# What DMARC does not pass, and is let through for another reason.
VOUCHED_OTHERWISE = (
    _own(
        "no-policy",
        "A domain without a DMARC policy, whose server SPF knows.",
        signed(letter(b"From: alice@nopolicy.test"), NOPOLICY),
        reverse_path="alice@nopolicy.test",
        victim="alice@nopolicy.test",
    ),
    _by_dkim(
        "list-with-trusted-seal",
        "A list that adds a footer and seals what it saw; the district trusts it.",
        sealed(
            _SIGNED + b"-- \r\nThe travel list\r\n",
            FORWARDER,
            b"dkim=pass header.d=victim.test; dmarc=pass (p=reject) header.from=victim.test",
        ),
    ),
)
