"""Attacks on what others said of the message: Authentication-Results, ARC, and messages inside."""

from __future__ import annotations

from tests.confusion.letters import ALICE, MALLORY, TEXT, Case, forged, letter, sealed, sign, signed
from tests.confusion.world import ATTACKER, FORWARDER, FORWARDER_IP, RELAY, VICTIM

_PASS = b"dmarc=pass header.from=victim.test; dkim=pass header.d=victim.test"
_PLAIN = letter(b"From: Alice <alice@victim.test>")
_ALTERED = signed(_PLAIN, VICTIM).replace(TEXT, TEXT + b"-- \r\nThe list\r\n")
_MALLORYS = letter(b"From: mallory@attacker.test")


def _results(*lines: bytes) -> bytes:
    """A letter of the victim's that claims to have been checked."""
    return letter(b"From: Alice <alice@victim.test>", extra=lines)


def _told(name: str, tries: str, line: bytes) -> Case:
    """A forged Authentication-Results on the attacker's own mail, which goes on without it."""
    raw = signed(letter(b"From: mallory@attacker.test", extra=[line]), ATTACKER)
    return Case(name, tries, raw, ends="forward")


ATTACKS = (
    Case(
        "results-forged",
        "Our own name in Authentication-Results says that all is well.",
        _results(b"Authentication-Results: mailguard.example.org; " + _PASS),
        ends="bounce",
    ),
    _told(
        "results-plain",
        "Our name, for whoever reads the field behind us.",
        b"Authentication-Results: mailguard.example.org; " + _PASS,
    ),
    _told(
        "results-in-capitals",
        "Our name and the field's in capitals.",
        b"AUTHENTICATION-RESULTS: MAILGUARD.EXAMPLE.ORG; " + _PASS,
    ),
    _told(
        "results-after-comment",
        "A comment before our name.",
        b"Authentication-Results: (checked (well)) mailguard.example.org; " + _PASS,
    ),
    _told(
        "results-quoted",
        "Our name as a quoted string.",
        b'Authentication-Results: "mailguard.example.org"; ' + _PASS,
    ),
    _told(
        "results-quoted-pairs",
        "Our name as a quoted string with quoted pairs.",
        b'Authentication-Results: "mail\\guard.example.org"; ' + _PASS,
    ),
    _told(
        "results-with-version",
        "A version after our name.",
        b"Authentication-Results: mailguard.example.org 1; " + _PASS,
    ),
    _told(
        "results-trailing-dot",
        "Our name with a dot at its end.",
        b"Authentication-Results: mailguard.example.org.; " + _PASS,
    ),
    _told(
        "results-folded",
        "Our name on the folded line.",
        b"Authentication-Results:\r\n\tmailguard.example.org;\r\n\t" + _PASS,
    ),
    _told(
        "results-fullwidth",
        "Our name with a full-width letter, which readers may map.",
        "Authentication-Results: ｍailguard.example.org; ".encode() + _PASS,
    ),
    _told(
        "results-comment-not-closed",
        "A comment without an end before our name.",
        b"Authentication-Results: (x mailguard.example.org; " + _PASS,
    ),
    _told(
        "results-second-name",
        "Another name first, ours after it without a semicolon.",
        b"Authentication-Results: other.test mailguard.example.org; " + _PASS,
    ),
    _told(
        "findings-forged",
        "A field that only mailguard writes.",
        b"X-Mailguard-Spam: no",
    ),
    Case(
        "results-space-before-colon",
        "`Authentication-Results :` is the field to lenient readers.",
        forged(
            b"From: mallory@attacker.test",
            b"Authentication-Results : mailguard.example.org; " + _PASS,
        ),
    ),
    Case(
        "arc-results-forged",
        "An ARC-Authentication-Results without a seal.",
        _results(b"ARC-Authentication-Results: i=1; forwarder.test; " + _PASS),
    ),
    Case(
        "arc-untrusted",
        "A whole chain of a sealer whom nobody here trusts.",
        sealed(_ALTERED, RELAY, _PASS),
    ),
    Case(
        "arc-attacker",
        "A whole chain that the attacker made.",
        sealed(_PLAIN, ATTACKER, _PASS),
    ),
    Case(
        "arc-in-trusted-name",
        "A chain in the trusted sealer's name, made with another key.",
        sealed(_PLAIN, ATTACKER, _PASS).replace(b"d=attacker.test", b"d=forwarder.test"),
    ),
    Case(
        "arc-trusted-altered-from",
        "A trusted sealer's set, put on a letter with another author.",
        sealed(_MALLORYS, FORWARDER, b"dmarc=pass header.from=attacker.test").replace(
            b"From: mallory@attacker.test", b"From: alice@victim.test"
        ),
    ),
    Case(
        "arc-trusted-altered-body",
        "A trusted sealer's word for the victim, taken over to another text.",
        sealed(_PLAIN, FORWARDER, _PASS).replace(b"at eight", b"at three"),
        ends="bounce",
    ),
    Case(
        "arc-trusted-altered-results",
        "A trusted sealer's word turned round: the seal covers it, the message signature does not.",
        sealed(_PLAIN, FORWARDER, b"dmarc=fail header.from=victim.test").replace(
            b"dmarc=fail", b"dmarc=pass"
        ),
        ends="bounce",
    ),
    Case(
        "arc-trusted-says-other-author",
        "A trusted sealer saw somebody else's domain pass.",
        sealed(_PLAIN, FORWARDER, b"dmarc=pass header.from=attacker.test"),
    ),
    Case(
        "arc-trusted-says-fail",
        "A trusted sealer saw DMARC fail, and DKIM pass for the attacker.",
        sealed(
            _PLAIN,
            FORWARDER,
            b"dmarc=fail header.from=victim.test; dkim=pass header.d=attacker.test",
        ),
    ),
    Case(
        "arc-trusted-comment",
        "The pass stands in a comment of the trusted sealer's results.",
        sealed(
            _PLAIN,
            FORWARDER,
            b"dmarc=fail (dmarc=pass header.from=victim.test) header.from=victim.test",
        ),
    ),
    Case(
        "arc-trusted-quoted",
        "The pass stands in a quoted reverse-path that the trusted sealer wrote down.",
        sealed(
            _PLAIN,
            FORWARDER,
            b'spf=pass smtp.mailfrom="a; dmarc=pass header.from=victim.test; b"@attacker.test;'
            b" dmarc=fail header.from=victim.test",
        ),
    ),
    Case(
        "arc-trusted-reason",
        "The pass stands in a reason.",
        sealed(
            _PLAIN,
            FORWARDER,
            b'dmarc=fail reason="x; dmarc=pass header.from=victim.test" header.from=victim.test',
        ),
    ),
    Case(
        "arc-trusted-both",
        "The trusted sealer merged two results; the bad one counts.",
        sealed(
            _PLAIN,
            FORWARDER,
            b"dmarc=fail header.from=victim.test; dmarc=pass header.from=victim.test",
        ),
    ),
    Case(
        "arc-untrusted-after-trusted",
        "The attacker's set on top of a trusted one that was taken from another letter.",
        sealed(sealed(_PLAIN, FORWARDER, _PASS), ATTACKER, b"arc=pass", cv="pass").replace(
            b"at eight", b"at three"
        ),
    ),
    Case(
        "arc-continued-by-attacker",
        "A trusted set that is whole, then one of the attacker's who altered the body.",
        sealed(
            sealed(_PLAIN, FORWARDER, _PASS).replace(b"at eight", b"at three"),
            ATTACKER,
            b"arc=pass",
            cv="pass",
        ),
    ),
    Case(
        "arc-trusted-says-chain-failed",
        "A trusted sealer continued a chain and says that it had failed.",
        sealed(sealed(_PLAIN, RELAY, _PASS), FORWARDER, b"arc=fail", cv="fail"),
        client_ip=FORWARDER_IP,
        reverse_path="list@forwarder.test",
    ),
    Case(
        "arc-second-from-on-top",
        "A From above a trusted sealer's set, which covers one.",
        b"From: alice@victim.test\r\n" + sealed(_MALLORYS, FORWARDER, _PASS),
    ),
    Case(
        "arc-instance-twice",
        "The same instance twice: the trusted set, and the attacker's beside it.",
        sealed(_PLAIN, ATTACKER, _PASS)[: -len(_PLAIN)] + sealed(_PLAIN, FORWARDER, b"dmarc=fail"),
    ),
    Case(
        "wrapped-message",
        "The victim's letter as message/rfc822: the header inside is not this message's.",
        sign(
            letter(
                b"From: mallory@attacker.test",
                extra=[b"MIME-Version: 1.0", b"Content-Type: message/rfc822"],
                body=signed(_PLAIN, VICTIM),
            ),
            ATTACKER,
        ),
        ends="forward",  # an attachment, from the attacker, and taken for the attacker's
    ),
    Case(
        "header-in-body",
        "An empty header line early: the From that signs stands in the body.",
        forged(b"From: mallory@attacker.test", b"\r\nFrom: alice@victim.test"),
        ends="forward",  # text; every reader ends the header there
    ),
    Case(
        "display-name-injects-field",
        "A display name with CR LF in an encoded word, which decodes to From: the victim.",
        forged(
            b"From: =?utf-8?b?TQ0KRnJvbTogPGFsaWNlQHZpY3RpbS50ZXN0Pg==?= <mallory@attacker.test>"
        ),
    ),
    Case(
        "sender-is-victim",
        "The attacker as author, the victim as Sender: nothing proves the Sender.",
        forged(b"From: mallory@attacker.test", f"Sender: {ALICE}".encode()),
        ends="forward",  # no more than a line of text; programs show From
    ),
    Case(
        "reply-to-is-victim",
        f"Everything is {MALLORY}'s but the address for answers.",
        forged(b"From: mallory@attacker.test", f"Reply-To: {ALICE}".encode()),
        ends="forward",
    ),
)
