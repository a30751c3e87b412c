"""Attacks on the envelope and on DNS: what SPF and DMARC are asked, and what they answer."""

from __future__ import annotations

from tests.confusion.letters import ALICE, MALLORY, Case, forged, letter
from tests.confusion.world import OTHER_IP, VICTIM_IP

_PLAIN = letter(b"From: Alice <alice@victim.test>")


def _author(mailbox: str) -> bytes:
    return letter(f"From: {mailbox}".encode())


ATTACKS = (
    Case(
        "reverse-path-attacker",
        "SPF passes for the attacker's reverse-path (+all); From is the victim's.",
        _PLAIN,
        ends="bounce",
    ),
    Case(
        "reverse-path-victim",
        "The victim's reverse-path and From, from the attacker's address.",
        _PLAIN,
        reverse_path=ALICE,
        ends="bounce",
    ),
    Case(
        "null-reverse-path-helo-victim",
        "The null reverse-path, HELO as the victim: SPF asks for the HELO name (RFC 7208 2.4).",
        _PLAIN,
        helo="victim.test",
        reverse_path="",
    ),
    Case(
        "null-reverse-path-helo-attacker",
        "The null reverse-path, and a HELO name for which SPF passes.",
        _PLAIN,
        reverse_path="",
    ),
    Case(
        "helo-victims-host",
        "HELO as the victim's mail host, which has no SPF record of its own.",
        _PLAIN,
        helo="mail.victim.test",
    ),
    Case(
        "reverse-path-subdomain",
        "A subdomain of the victim's without an SPF record.",
        _PLAIN,
        reverse_path="bounces@news.victim.test",
    ),
    Case(
        "reverse-path-absent-subdomain",
        "A subdomain of the victim's that does not exist.",
        _PLAIN,
        reverse_path="bounces@nowhere.victim.test",
    ),
    Case(
        "reverse-path-below-attacker",
        "A domain that begins like the victim's and is the attacker's.",
        _PLAIN,
        reverse_path="alice@victim.test.attacker.test",
    ),
    Case(
        "reverse-path-quoted-at",
        "A quoted local part that holds the victim's address: the first @ parts it wrongly.",
        _PLAIN,
        reverse_path='"alice@victim.test"@attacker.test',
    ),
    Case(
        "reverse-path-results-in-quotes",
        "A quoted local part that would end our Authentication-Results and begin a better one.",
        _PLAIN,
        reverse_path='"x; dmarc=pass header.from=victim.test"@attacker.test',
    ),
    Case(
        "reverse-path-backslash-quote",
        "The same with an escaped quote, for writers who escape quotes but not backslashes.",
        _PLAIN,
        reverse_path='"x\\"; dmarc=pass header.from=victim.test; y=\\""@attacker.test',
    ),
    Case(
        "reverse-path-results-on-own-mail",
        "The same on the attacker's own mail, for whoever reads our results behind us.",
        forged(b"From: mallory@attacker.test"),
        reverse_path='"x\\"; dmarc=pass header.from=victim.test; y=\\""@attacker.test',
        ends="bounce",  # the session takes no quoted local part; what we write holds all the same
    ),
    Case(
        "helo-results-on-own-mail",
        "HELO with results in it on the attacker's own mail, with the null reverse-path.",
        forged(b"From: mallory@attacker.test"),
        helo='x" ; dmarc=pass header.from=victim.test ; y=".attacker.test',
        reverse_path="",
        ends="forward",
    ),
    Case(
        "signature-tags-on-own-mail",
        "Results in i= and s= of a signature that fails, whose tags we tell.",
        forged(
            b"DKIM-Signature: v=1; a=rsa-sha256; d=attacker.test; s=x; h=from; bh=AAAA; b=AAAA;"
            b' i="; dmarc=pass header.from=victim.test"@attacker.test',
            b"From: mallory@attacker.test",
        ),
        ends="forward",
    ),
    Case(
        "reverse-path-crlf",
        "CR LF in the reverse-path: a field of its own in what we write.",
        _PLAIN,
        reverse_path="m%0D%0AAuthentication-Results:%20x@attacker.test",
        ends="bounce",
    ),
    Case(
        "helo-crlf",
        "CR LF in HELO: a field of its own in what we write.",
        _author(MALLORY),
        helo="mx.attacker.test\r\nAuthentication-Results: mailguard.example.org; dmarc=pass",
        ends="forward",
    ),
    Case(
        "helo-results",
        "HELO with a semicolon and results, and the null reverse-path, so that we tell of it.",
        _author(MALLORY),
        helo="mx.attacker.test; dmarc=pass header.from=victim.test",
        reverse_path="",
        ends="bounce",
    ),
    Case(
        "include-victim",
        "The attacker's SPF includes the victim's: the pass is the attacker's own.",
        _PLAIN,
        reverse_path="m@borrowed.attacker.test",
    ),
    Case(
        "include-loop",
        "An SPF record that includes itself: an error, never a pass.",
        _author("alice@loop.test"),
        reverse_path="alice@loop.test",
        victim="alice@loop.test",
    ),
    Case(
        "two-spf-records",
        "Two SPF records, one of them +all: an error (RFC 7208 4.5).",
        _author("alice@two.test"),
        reverse_path="alice@two.test",
        victim="alice@two.test",
    ),
    Case(
        "macro-local-part",
        "exists:%{l} with a local part that is to reach another name.",
        _author("office@macro.test"),
        reverse_path='"office.ok.macro.test."@macro.test',
        victim="office@macro.test",
    ),
    Case(
        "macro-local-part-labels",
        "The same with dots, which become labels.",
        _author("office@macro.test"),
        reverse_path="x.office@macro.test",
        victim="office@macro.test",
    ),
    Case(
        "mapped-address",
        "The attacker's address written as IPv6: SPF looks at the IPv4 in it (RFC 7208 5).",
        _PLAIN,
        client_ip="::ffff:203.0.113.66",
        reverse_path=ALICE,
    ),
    Case(
        "aligned-strictly-by-parent",
        "SPF passes for a tenant below the domain, which asks for strict alignment.",
        _author("alice@strict.test"),
        reverse_path="m@tenant.strict.test",
        victim="alice@strict.test",
    ),
    Case(
        "subdomain-author",
        "A subdomain without a record of its own, for which p= stands in.",
        _author("alice@news.victim.test"),
        victim="alice@news.victim.test",
    ),
    Case(
        "subdomain-author-sp",
        "p=none but sp=reject: a subdomain is refused.",
        _author("alice@real.subonly.test"),
        victim="alice@real.subonly.test",
        ends="bounce",
    ),
    Case(
        "subdomain-author-np",
        "p=none and sp=none but np=reject: a subdomain that does not exist is refused.",
        _author("alice@nowhere.nponly.test"),
        victim="alice@nowhere.nponly.test",
        ends="bounce",
    ),
    Case(
        "subdomain-long-walk",
        "Thirty labels below the victim: the tree walk jumps, and finds the policy still.",
        _author("a@" + "x." * 30 + "victim.test"),
        victim="a@" + "x." * 30 + "victim.test",
        ends="bounce",
    ),
    Case(
        "policy-unanswered",
        "The victim's policy gives SERVFAIL: put off, neither passed nor refused.",
        _author("alice@broken.test"),
        victim="alice@broken.test",
        ends="defer",
    ),
    Case(
        "policy-unanswered-tenant",
        "The policy gives SERVFAIL, so that nobody knows whether a tenant is near enough.",
        _author("alice@broken.test"),
        reverse_path="m@tenant.broken.test",
        victim="alice@broken.test",
        ends="defer",
    ),
    Case(
        "domain-literal-author",
        "The victim's server as an address literal: there is no domain to ask.",
        _author(f"alice@[{VICTIM_IP}]"),
        ends="forward",  # proven to be nobody, and shown as nobody whom a policy protects
    ),
    Case(
        "author-top-level",
        "A domain of one label, for those who complete it.",
        _author("alice@victim"),
        ends="forward",  # proven to be nobody
    ),
    Case(
        "author-address-other-local-part",
        "Proven for mallory@, listed for alice@: the list's entry is one address (R37).",
        forged(b"From: mallory@attacker.test", b"Reply-To: alice@victim.test"),
        ends="forward",
    ),
    Case(
        "ptr-is-no-proof",
        "A client elsewhere with the victim's names everywhere but in its address.",
        _PLAIN,
        client_ip=OTHER_IP,
        helo="mail.victim.test",
        reverse_path=ALICE,
        ends="bounce",
    ),
)

# The domains' own records ask for nothing, or cannot be read: the mail goes on, as nobody's.
UNPROTECTED = (
    Case(
        "unprotected-two-policies",
        "Two DMARC records count as none (RFC 9989 4.10.1).",
        _author("alice@twodmarc.test"),
        victim="alice@twodmarc.test",
    ),
    Case(
        "unprotected-malformed-policy",
        "A DMARC record without a semicolon is none.",
        _author("alice@malformed.test"),
        victim="alice@malformed.test",
    ),
    Case(
        "unprotected-watching",
        "p=none: the domain only watches.",
        _author("alice@watching.test"),
        victim="alice@watching.test",
    ),
    Case(
        "unprotected-no-policy",
        "No DMARC record at all, and another's SPF pass.",
        _author("alice@nopolicy.test"),
        victim="alice@nopolicy.test",
    ),
    Case(
        "unprotected-sister-below-suffix",
        "A neighbour below one public suffix (psd=y): no relation of the victim's.",
        _author("alice@one.suffix.test"),
        reverse_path="m@other.suffix.test",
        victim="alice@one.suffix.test",
    ),
    Case(
        "unprotected-suffix-itself",
        "The public suffix above (psd=y): it may not speak for those below.",
        _author("alice@one.suffix.test"),
        reverse_path="m@suffix.test",
        victim="alice@one.suffix.test",
    ),
)
