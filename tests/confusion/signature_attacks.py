"""Attacks on what DKIM says: signatures that are true of something else, or were once.

Most letters are the victim's own, really signed with the victim's key, and tampered with later; the
others carry a signature in the victim's name that the attacker could make.
"""

from __future__ import annotations

from tests.confusion.letters import TEXT, Case, letter, sign, signed
from tests.confusion.world import ATTACKER, NOW, TENANT, VICTIM, VICTIM_MAIL, SigningKey

_AUTHOR = b"From: Alice <alice@victim.test>"
_PLAIN = letter(_AUTHOR)
_SIGNED = signed(_PLAIN, VICTIM)
_ONCE = (b"from", b"to", b"subject", b"date")  # signed as it stands, nothing oversigned
_HTML = b"--b\r\nContent-Type: text/plain\r\n\r\nThe bus leaves at eight.\r\n--b--\r\n"
_PARTS = letter(
    _AUTHOR,
    extra=[b"MIME-Version: 1.0", b"Content-Type: multipart/mixed; boundary=b"],
    body=_HTML,
)
_EVIL_PART = b"--b\r\nContent-Type: text/html\r\n\r\n<p>Pay here</p>\r\n--b--\r\n"


def _leaked(selector: str, domain: str = "victim.test") -> SigningKey:
    """A key of the attacker's that (once) stood at the victim's domain."""
    return SigningKey(domain, selector, ATTACKER.key)


ATTACKS = (
    # Whole messages, altered.
    Case(
        "body-altered",
        "A replayed letter with another body.",
        _SIGNED.replace(b"at eight", b"at three"),
    ),
    Case(
        "subject-altered",
        "A replayed letter with another Subject.",
        _SIGNED.replace(b"Field trip", b"Pay today!"),
    ),
    Case(
        "second-subject-on-top",
        "DKIM takes the lowest Subject, programs show the uppermost.",
        b"Subject: Pay today\r\n" + sign(_PLAIN, VICTIM, names=_ONCE),
    ),
    Case(
        "second-date-on-top",
        "The same with Date: an old letter becomes new.",
        b"Date: Tue, 22 Sep 2026 10:00:00 +0000\r\n" + sign(_PLAIN, VICTIM, names=_ONCE),
    ),
    Case(
        "second-to-on-top",
        "The same with To: somebody else's letter becomes mine.",
        b"To: All staff <all@example.org>\r\n" + sign(_PLAIN, VICTIM, names=_ONCE),
    ),
    Case(
        "second-from-on-top-of-victims",
        "A second From above a victim's letter that did not sign the lack of one.",
        b"From: mallory@attacker.test\r\n" + sign(_PLAIN, VICTIM, names=_ONCE),
    ),
    Case(
        "second-from-below-victims",
        "A second From below, which DKIM takes first; the signed one is shown.",
        sign(_PLAIN, VICTIM, names=_ONCE).replace(b"To: ", b"From: m@attacker.test\r\nTo: ", 1),
    ),
    Case(
        "oversigned-subject-added",
        "A Subject added to a letter that signed to have one.",
        b"Subject: Pay today\r\n" + _SIGNED,
    ),
    Case(
        "reply-to-added",
        "Answers go to the attacker: a Reply-To where the signature says there is none.",
        b"Reply-To: mallory@attacker.test\r\n" + _SIGNED,
    ),
    Case(
        "reply-to-altered",
        "Answers go to the attacker: the signed Reply-To is another.",
        signed(letter(_AUTHOR, extra=[b"Reply-To: alice@victim.test"]), VICTIM).replace(
            b"Reply-To: alice@victim.test", b"Reply-To: mallory@attacker.test"
        ),
    ),
    Case(
        "second-reply-to",
        "A second Reply-To; some programs answer to both.",
        b"Reply-To: mallory@attacker.test\r\n"
        + sign(
            letter(_AUTHOR, extra=[b"Reply-To: alice@victim.test"]),
            VICTIM,
            names=(*_ONCE, b"reply-to"),
        ),
    ),
    Case(
        "second-content-type",
        "A second Content-Type with another boundary: other parts are seen.",
        b'Content-Type: multipart/mixed; boundary="c"\r\n'
        + sign(_PARTS, VICTIM, names=(*_ONCE, b"content-type")),
    ),
    Case(
        "second-transfer-encoding",
        "A second Content-Transfer-Encoding: the body is decoded into something else.",
        b"Content-Transfer-Encoding: base64\r\n"
        + sign(
            letter(_AUTHOR, extra=[b"Content-Transfer-Encoding: 7bit"]),
            VICTIM,
            names=(*_ONCE, b"content-transfer-encoding"),
        ),
    ),
    # l=
    Case(
        "body-length-zero",
        "l=0: no body is signed, and any may follow.",
        sign(_PLAIN, VICTIM, body_length=0).replace(TEXT, b"Pay today.\r\n"),
    ),
    Case(
        "body-length-appended",
        "l= covers the letter; text is appended.",
        sign(_PLAIN, VICTIM, body_length=len(TEXT)) + b"Pay today.\r\n",
    ),
    Case(
        "body-length-part-appended",
        "l= covers the first part; another part follows, that programs show instead.",
        sign(_PARTS, VICTIM, body_length=len(_HTML)) + _EVIL_PART,
    ),
    Case(
        "body-length-beyond-end",
        "l= greater than the body.",
        sign(_PLAIN, VICTIM, tags=[(b"l", b"100000")]),
    ),
    # Signatures that the attacker makes in the victim's name.
    Case(
        "key-of-another",
        "Signed with the attacker's key at the victim's selector.",
        signed(_PLAIN, _leaked("s1")),
    ),
    Case(
        "selector-absent",
        "A selector that the victim does not publish.",
        signed(_PLAIN, _leaked("m1")),
    ),
    Case(
        "selector-with-dots",
        "s= that ends in another domain's labels, so that the name is looked up elsewhere.",
        sign(_PLAIN, ATTACKER, tags=[(b"d", b"victim.test"), (b"s", b"m1._domainkey.attacker")]),
    ),
    Case(
        "domain-with-nul",
        "d= with a NUL: C programs see the victim, DNS is asked for the attacker.",
        sign(_PLAIN, ATTACKER, tags=[(b"d", b"victim.test\0.attacker.test")]),
    ),
    Case(
        "domain-twice",
        "d= twice: the first is compared, the last is looked up.",
        sign(_PLAIN, ATTACKER, tags=[(b"D", b"victim.test")]).replace(b" D=", b" d=", 1),
    ),
    Case(
        "domain-top-level",
        "d=test, above every domain there.",
        sign(_PLAIN, _leaked("m1", "test")),
    ),
    Case(
        "domain-as-prefix",
        "d=victim.test.attacker.test, which begins like the victim's.",
        sign(_PLAIN, _leaked("m1", "victim.test.attacker.test")),
    ),
    Case(
        "identity-of-victim",
        "i=@victim.test under d=attacker.test: readers of i= see the victim.",
        sign(_PLAIN, ATTACKER, tags=[(b"i", b"alice@victim.test")]),
    ),
    Case(
        "identity-below-strict-key",
        "i= at a subdomain, with a key whose record forbids that (t=s).",
        sign(_PLAIN, _leaked("whole"), tags=[(b"i", b"@news.victim.test")]),
    ),
    Case(
        "tenant-for-parent-strict",
        "A tenant below the domain signs for the parent, which asks for strict alignment.",
        signed(letter(b"From: alice@strict.test"), TENANT),
        reverse_path="m@tenant.strict.test",
        victim="alice@strict.test",
    ),
    Case("key-revoked", "A key whose p= is empty.", signed(_PLAIN, _leaked("revoked"))),
    Case("key-for-reports", "A key of another service.", signed(_PLAIN, _leaked("reports"))),
    Case("key-for-sha1", "A key that is for SHA-1 only.", signed(_PLAIN, _leaked("sha1only"))),
    Case("key-version", "A key record of version 2.", signed(_PLAIN, _leaked("version"))),
    Case("key-twice", "Two key records at one name.", signed(_PLAIN, _leaked("twice"))),
    Case(
        "key-of-512-bits",
        "A key of 512 bits, broken by the attacker.",
        sign(_PLAIN, _leaked("short"), short_key=True),
    ),
    Case(
        "rsa-sha1",
        "rsa-sha1 by the victim's own key (RFC 8301 3.1).",
        sign(_PLAIN, VICTIM, algorithm=b"rsa-sha1", relaxed=False),
    ),
    Case(
        "algorithm-of-another-kind",
        "a=ed25519-sha256 with a key that is RSA.",
        sign(_PLAIN, VICTIM, tags=[(b"a", b"ed25519-sha256")]),
    ),
    # Times and tags.
    Case(
        "expired",
        "x= is over: an old letter is replayed.",
        sign(_PLAIN, VICTIM, tags=[(b"t", b"%d" % (NOW - 9e5)), (b"x", b"%d" % (NOW - 8e5))]),
    ),
    Case(
        "signed-in-future",
        "t= lies ten years ahead.",
        sign(_PLAIN, VICTIM, tags=[(b"t", b"%d" % (NOW + 3e8))]),
    ),
    Case(
        "from-not-signed",
        "h= without From: the author may be anybody.",
        sign(
            letter(b"From: Carol <carol@victim.test>"),
            VICTIM,
            names=(b"to", b"subject", b"date"),
        ).replace(b"Carol <carol@", b"Alice <alice@"),
    ),
    Case(
        "from-in-h-with-space",
        "h= names `from ` with a NUL, which is no field.",
        sign(_PLAIN, VICTIM, names=(b"to", b"subject", b"date")).replace(
            b"h=to:", b"h=from\0:to:", 1
        ),
    ),
    Case("version-missing", "No v=.", sign(_PLAIN, VICTIM, without=[b"v"], tags=[(b"v", b"2")])),
    Case(
        "body-hash-twice",
        "bh= twice: the body is altered, and the second hash is the new one's.",
        _SIGNED.replace(b"bh=", b"bh=AAAA; bh=", 1),
    ),
    # Line ends.
    Case(
        "bare-lf-in-body",
        "simple/simple, then bare LF in the body: those who make CRLF of it see other lines.",
        sign(_PLAIN, VICTIM, relaxed=False).replace(b"gate. P", b"gate.\n\nP"),
    ),
    Case(
        "bare-cr-in-header",
        "A bare CR in a field that is not signed: a line end to some, so that a From begins.",
        b"X-Note: a\rFrom: mallory@attacker.test\r\n" + _SIGNED,
    ),
    Case(
        "signed-by-tenant-relaxed-space",
        "White space put into the From address: relaxed form hides its amount, not its place.",
        _SIGNED.replace(b"alice@victim.test>", b"alice @victim.test>"),
    ),
    Case(
        "blank-line-above-header",
        "An empty line first: the signed header becomes text under one without an author.",
        b"\r\n" + _SIGNED,
    ),
    Case(
        "signature-in-attached-message",
        "The victim's signed letter, attached to one that names the victim too.",
        signed(
            letter(
                _AUTHOR,
                extra=[b"MIME-Version: 1.0", b"Content-Type: message/rfc822"],
                body=_SIGNED,
            ),
            ATTACKER,
        ),
    ),
    Case(
        "many-signatures",
        "Twenty signatures of the attacker's above one that fails.",
        b"".join([signed(_PLAIN, ATTACKER)[: -len(_PLAIN)]] * 20) + signed(_PLAIN, _leaked("s1")),
    ),
    Case(
        "key-unanswered",
        "The victim's key cannot be asked for: SERVFAIL is neither a pass nor a fail.",
        signed(letter(b"From: alice@silent.test"), _leaked("s1", "silent.test")),
        victim="alice@silent.test",
        ends="defer",
    ),
    Case(
        "mail-host-key-other-parent",
        "The victim's own mail host signs; From is a sister domain that has nothing to do with it.",
        signed(letter(b"From: alice@strict.test"), VICTIM_MAIL),
        victim="alice@strict.test",
    ),
)
