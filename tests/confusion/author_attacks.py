"""Attacks on who the author is: the From field and those beside it.

Every letter comes from the attacker's own server and is signed for the attacker's domain, whole:
SPF, DKIM and DMARC are in order for the one who sends, and the victim is what people would read.
"""

from __future__ import annotations

from base64 import b64encode

from tests.confusion.letters import ALICE, Case, forged

_FORGED_WORD = b"=?utf-8?b?" + b64encode(b"Alice <alice@victim.test>") + b"?="
_FORGED_ADDRESS = b"=?utf-8?q?alice=40victim=2Etest?="

ATTACKS = (
    # Several From fields: DKIM takes the last, most programs show the first.
    Case(
        "two-from-victim-first",
        "Two From fields; a verifier takes the last, a mail program shows the first.",
        forged(b"From: alice@victim.test", b"From: mallory@attacker.test"),
    ),
    Case(
        "two-from-victim-last",
        "Two From fields; a verifier takes the first, a mail program shows the last.",
        forged(b"From: mallory@attacker.test", b"From: alice@victim.test"),
    ),
    Case(
        "two-from-in-capitals",
        "The second one is FROM, for readers that compare names by their octets.",
        forged(b"FROM: alice@victim.test", b"From: mallory@attacker.test"),
    ),
    Case(
        "from-with-space-before-colon",
        "`From :` is a field to lenient readers (RFC 5322 4.5.2) and none to strict ones.",
        forged(b"From : alice@victim.test", b"From: mallory@attacker.test"),
    ),
    Case(
        "from-with-tab-before-colon",
        "The same with a tab, and only that one.",
        forged(b"From\t: alice@victim.test"),
    ),
    Case(
        "from-name-folded",
        "The name is folded before its colon: unfolding first makes it a From field.",
        forged(b"From\r\n : alice@victim.test", b"From: mallory@attacker.test"),
    ),
    Case(
        "from-with-nul-in-name",
        "A NUL in the field's name, which some readers leave out.",
        forged(b"Fr\0om: alice@victim.test", b"From: mallory@attacker.test"),
    ),
    Case(
        "from-folded-at-once",
        "The value starts on the next line: some readers see an empty field.",
        forged(b"From:\r\n alice@victim.test", b"From: mallory@attacker.test"),
    ),
    Case(
        "from-after-blank-fold",
        "A line of white space only, where some readers end the header: what follows is hidden.",
        forged(b"From: alice@victim.test", b"X-Break: 1\r\n \t", b"From: mallory@attacker.test"),
    ),
    Case(
        "from-below-a-line-without-colon",
        "A line without a colon ends the header for some, so that each sees another From.",
        forged(b"From: alice@victim.test", b"this is no field", b"From: mallory@attacker.test"),
    ),
    Case(
        "from-behind-a-bare-cr",
        "A bare CR is a line end to some readers: the victim stands on a line of its own.",
        forged(b"From: mallory@attacker.test\rFrom: alice@victim.test"),
    ),
    Case(
        "from-behind-a-bare-lf",
        "A bare LF is a line end to some readers and not to others.",
        forged(b"X-Mailer: none\nFrom: alice@victim.test", b"From: mallory@attacker.test"),
    ),
    # Several addresses in one From field.
    Case(
        "list-victim-first",
        "Two authors; many programs show the first alone.",
        forged(b"From: alice@victim.test, mallory@attacker.test"),
        ends="quarantine",
    ),
    Case(
        "list-victim-last",
        "Two authors; DMARC takes the first that passes.",
        forged(b"From: mallory@attacker.test, alice@victim.test"),
        ends="quarantine",
    ),
    Case(
        "list-with-sender",
        "Two authors with the Sender that RFC 5322 3.6.2 asks for, who is the attacker.",
        forged(b"From: alice@victim.test, mallory@attacker.test", b"Sender: mallory@attacker.test"),
        ends="quarantine",
    ),
    Case(
        "list-parted-by-semicolon",
        "A semicolon parts addresses for some programs and ends nothing for others.",
        forged(b"From: alice@victim.test; mallory@attacker.test"),
    ),
    Case(
        "list-with-empty-members",
        "Commas around: obsolete syntax that hides the first author from strict readers.",
        forged(b"From: ,,alice@victim.test,,mallory@attacker.test,"),
        ends="quarantine",
    ),
    Case(
        "list-same-domain-as-name",
        "The first member is no address but reads like the victim's name with one.",
        forged(b"From: alice@victim.test mallory@attacker.test"),
    ),
    Case(
        "list-of-the-victims-own",
        "Two authors at one domain, which DMARC can speak for.",
        forged(b"From: alice@victim.test, bob@victim.test"),
        ends="bounce",
    ),
    # Groups (RFC 6854).
    Case(
        "group-around-victim",
        "A group in From, which not every verifier opens.",
        forged(b"From: Staff:alice@victim.test;"),
    ),
    Case(
        "group-then-attacker",
        "An author in a group and one outside it.",
        forged(b"From: Staff:alice@victim.test;, mallory@attacker.test"),
    ),
    Case(
        "group-named-like-an-address",
        "The group's name is the victim's address, its member the attacker.",
        forged(b'From: "alice@victim.test":mallory@attacker.test;'),
    ),
    Case(
        "group-empty",
        "An empty group: no author at all, with the victim as Sender.",
        forged(b"From: alice at victim.test:;", b"Sender: alice@victim.test"),
    ),
    # Comments.
    Case(
        "comment-holds-attacker",
        "The victim's address, and the attacker's in a comment, for verifiers that search for @.",
        forged(b"From: alice@victim.test (mallory@attacker.test)"),
    ),
    Case(
        "comment-before-angle",
        "A comment with angle brackets in it: who does not know comments takes the victim.",
        forged(b"From: (<alice@victim.test>) <mallory@attacker.test>"),
    ),
    Case(
        "comment-inside-address",
        "A comment in the middle of the domain: left out, it is the victim's.",
        forged(b"From: alice@victim(.attacker).test"),
    ),
    Case(
        "comment-nested-and-escaped",
        "Nested comments with an escaped parenthesis: counting wrong shows another address.",
        forged(b"From: (a (b \\) <alice@victim.test>) c) <mallory@attacker.test>"),
    ),
    Case(
        "comment-not-closed",
        "A comment without an end: lenient readers take what stands before it.",
        forged(b"From: alice@victim.test (<mallory@attacker.test>"),
    ),
    # Angle brackets and quotes.
    Case(
        "angle-twice",
        "Two addresses in angle brackets; some take the first, some the last.",
        forged(b"From: <alice@victim.test><mallory@attacker.test>"),
    ),
    Case(
        "angle-nested",
        "Angle brackets in angle brackets.",
        forged(b"From: <alice@victim.test<mallory@attacker.test>>"),
    ),
    Case(
        "angle-not-closed",
        "An angle bracket without an end, and then an address.",
        forged(b"From: <alice@victim.test, mallory@attacker.test"),
    ),
    Case(
        "display-name-unquoted-address",
        "The victim's address stands where the name does, without quotes.",
        forged(b"From: alice@victim.test <mallory@attacker.test>"),
    ),
    Case(
        "text-after-angle",
        "Text after the angle brackets: some programs take the last thing with an @.",
        forged(b"From: <mallory@attacker.test> alice@victim.test"),
    ),
    Case(
        "quoted-local-part-with-at",
        "The victim's address is a quoted local part; the first @ parts it wrongly.",
        forged(b'From: "alice@victim.test"@attacker.test'),
    ),
    Case(
        "quoted-local-part-with-angle",
        "A quoted local part that closes an angle bracket for those who do not know quotes.",
        forged(b'From: <"<alice@victim.test>"@attacker.test>'),
    ),
    Case(
        "quote-not-closed",
        "A quote without an end: all that follows is text to one and an address to another.",
        forged(b'From: "Alice <alice@victim.test>'),
    ),
    Case(
        "quoted-pair-at-end",
        "A backslash before the closing quote.",
        forged(b'From: "Alice\\" <alice@victim.test>, " <mallory@attacker.test>'),
    ),
    Case(
        "two-at-signs",
        "alice@victim.test@attacker.test: the first @ or the last one.",
        forged(b"From: alice@victim.test@attacker.test"),
    ),
    # Encoded words.
    Case(
        "encoded-word-is-the-address",
        "The whole address is an encoded word: programs that decode first show the victim.",
        forged(b"From: " + _FORGED_ADDRESS),
    ),
    Case(
        "encoded-word-with-angle",
        "An encoded word that decodes to a name and an address in angle brackets.",
        forged(b"From: " + _FORGED_WORD + b" <mallory@attacker.test>"),
    ),
    Case(
        "encoded-word-then-comma",
        "An encoded word that decodes to an address and a comma.",
        forged(b"From: =?utf-8?q?alice=40victim=2Etest=2C?= <mallory@attacker.test>"),
    ),
    Case(
        "encoded-word-local-part",
        "An encoded word in the local part, which decodes to the victim and a NUL.",
        forged(b"From: =?utf-8?b?YWxpY2VAdmljdGltLnRlc3QA?=@attacker.test"),
    ),
    Case(
        "encoded-word-with-line-break",
        "An encoded word with CR LF inside: decoded, a second From field.",
        forged(b"From: =?utf-8?q?M=0D=0AFrom=3A_alice=40victim=2Etest?= <mallory@attacker.test>"),
        ends="forward",  # no reader decodes it into a line end
    ),
    # Octets that are not to be there.
    Case(
        "nul-ends-address",
        "A NUL after the victim's address: C programs end there.",
        forged(b"From: alice@victim.test\0@attacker.test"),
    ),
    Case(
        "nul-ends-field",
        "A NUL in angle brackets.",
        forged(b"From: <alice@victim.test\0.attacker.test>"),
    ),
    Case(
        "eight-bit-in-domain",
        "An octet that is no UTF-8 in the domain: left out, it is the victim's.",
        forged(b"From: alice@victim\xad.test"),
    ),
    Case(
        "soft-hyphen-in-domain",
        "A soft hyphen, which IDNA maps to nothing.",
        forged("From: alice@vic\u00adtim.test".encode()),
    ),
    Case(
        "zero-width-space-in-domain",
        "A zero width space, which is not seen.",
        forged("From: alice@victim\u200b.test".encode()),
    ),
    Case(
        "fullwidth-domain",
        "Full-width letters, which IDNA maps to the victim's.",
        forged("From: alice@\uff56\uff49\uff43\uff54\uff49\uff4d.test".encode()),
    ),
    Case(
        "ideographic-full-stop",
        "Another full stop, which IDNA takes for a dot.",
        forged("From: alice@victim\u3002test".encode()),
    ),
    Case(
        "fullwidth-at",
        "A full-width @: decoded, the victim's address, and to a strict reader none.",
        forged("From: alice\uff20victim.test <mallory@attacker.test>".encode()),
        ends="forward",  # a name that shows an address of no one whom this district protects
    ),
    Case(
        "homograph-of-the-district",
        "Cyrillic letters for Latin ones in the district's own domain.",
        forged("From: sylvia.aspen@ex\u0430mple.org".encode()),
        victim="sylvia.aspen@example.org",
    ),
    # One domain, written otherwise.
    Case("domain-trailing-dot", "A dot at the end.", forged(b"From: alice@victim.test.")),
    Case("domain-in-capitals", "Capitals.", forged(b"From: ALICE@VICTIM.TEST")),
    Case(
        "domain-u-label",
        "The victim's international domain as U-labels; the policy is published at the A-labels.",
        forged("From: alice@b\u00fccher.test".encode()),
        victim="alice@xn--bcher-kva.test",
    ),
    Case(
        "domain-a-label",
        "The same as A-labels.",
        forged(b"From: alice@xn--bcher-kva.test"),
        victim="alice@xn--bcher-kva.test",
    ),
    Case(
        "domain-u-label-decomposed",
        "The same with a combining mark, which only normalisation makes equal.",
        forged("From: alice@bu\u0308cher.test".encode()),
        victim="alice@xn--bcher-kva.test",
    ),
    Case("domain-two-dots", "Two dots.", forged(b"From: alice@victim..test")),
    Case("domain-leading-dot", "A dot first.", forged(b"From: alice@.victim.test")),
    Case("space-in-domain", "Spaces around the dots.", forged(b"From: alice@victim . test")),
    Case(
        "fold-inside-address",
        "A fold in the middle of the address.",
        forged(b"From: alice@vic\r\n\ttim.test"),
    ),
    Case(
        "fold-hides-the-rest",
        "The attacker's domain stands on the folded line that is not shown.",
        forged(b"From: alice@victim.test\r\n\t.attacker.test"),
    ),
    Case(
        "percent-hack",
        "alice%victim.test@attacker.test, which old relays route to the victim.",
        forged(b"From: <alice%victim.test@attacker.test>"),
    ),
    Case(
        "source-route",
        "An obsolete route through the attacker to the victim's address.",
        forged(b"From: <@attacker.test:alice@victim.test>"),
    ),
    Case(
        "source-route-reversed",
        "An obsolete route through the victim to the attacker's address.",
        forged(b"From: <@victim.test,@x.test:mallory@attacker.test>"),
    ),
    Case(
        "very-long-from",
        "A From of 300 kB with the victim at its end, past where some stop reading.",
        forged(b"From: " + b"x" * 300_000 + b" <alice@victim.test>"),
    ),
    Case(
        "many-authors",
        "Two thousand authors, the victim last.",
        forged(b"From: " + b"m@attacker.test,\r\n " * 2_000 + b"alice@victim.test"),
        ends="quarantine",
    ),
    # Fields beside From.
    Case(
        "no-from-sender-victim",
        "No From at all; programs show the Sender.",
        forged(b"Sender: alice@victim.test"),
    ),
    Case(
        "empty-from-sender-victim",
        "An empty From; programs show the Sender.",
        forged(b"From:", b"Sender: alice@victim.test"),
    ),
    Case(
        "null-from",
        "`<>`, which is a reverse-path and no author.",
        forged(b"From: Alice <>", b"Sender: alice@victim.test"),
    ),
    Case(
        "resent-from-attacker",
        "Resent by the attacker: the author is still the victim (RFC 5322 3.6.6).",
        forged(b"Resent-From: mallory@attacker.test", b"From: alice@victim.test"),
    ),
    Case(
        "from-in-the-envelope-line",
        "A mailbox file's From line on top, that some programs show.",
        forged(b">From alice@victim.test Mon Sep 21 14:13:20 2026", b"From: alice@victim.test"),
    ),
    # A display name that shows the victim; the author is the attacker, and says so.
    Case(
        "display-name-of-staff",
        "The superintendent's name and address as display name.",
        forged(b'From: "Sylvia Aspen sylvia.aspen@example.org" <mallory@attacker.test>'),
        victim="sylvia.aspen@example.org",
    ),
    Case(
        "display-name-with-many-spaces",
        "The victim's address in quotes, then spaces to push the true one out of sight.",
        forged(b'From: "alice@victim.test' + b" " * 200 + b'" <mallory@attacker.test>'),
        ends="forward",  # proven to be the attacker's, and taken for nothing else
    ),
    Case(
        "district-author-unproven",
        "The district's own address in From, all in order for the attacker's domain.",
        forged(b"From: Sylvia Aspen <sylvia.aspen@example.org>"),
        victim="sylvia.aspen@example.org",
    ),
    Case(
        "victim-plain",
        "The victim in From, unveiled: SPF and DKIM pass for the attacker's domain only.",
        forged(f"From: Alice <{ALICE}>".encode()),
        ends="bounce",
    ),
)
