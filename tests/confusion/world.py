"""The domains that the letters come from: what they publish, and the keys they sign with.

victim.test publishes all it can and asks to refuse the rest; attacker.test is a domain like any
other, with everything in order; forwarder.test is a trusted sealer, relay.test is none.
"""

from __future__ import annotations

import base64

import dns.message
import dns.rcode
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicNumbers,
    generate_private_key,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from mailguard.cli.dkim import zone_line
from mailguard.core.authentication.dkim_signing import SigningKey, record_of
from mailguard.demo.dns_server import DnsServer

NOW = 1_790_000_000.0  # seconds since the epoch: when every letter arrives

VICTIM_IP, ATTACKER_IP = "192.0.2.10", "203.0.113.66"
FORWARDER_IP, OTHER_IP = "198.51.100.7", "198.51.100.99"

_RSA: dict[str, RSAPrivateKey] = {
    name: generate_private_key(65537, 2048) for name in ("victim", "attacker")
}
_ED: dict[str, Ed25519PrivateKey] = {
    name: Ed25519PrivateKey.generate() for name in ("victim", "forwarder", "relay")
}


def _key(domain: str, selector: str, key: RSAPrivateKey | Ed25519PrivateKey) -> SigningKey:
    return SigningKey(domain, selector, key)


VICTIM = _key("victim.test", "s1", _RSA["victim"])
VICTIM_ED = _key("victim.test", "ed1", _ED["victim"])
VICTIM_MAIL = _key("mail.victim.test", "s1", _RSA["victim"])
VICTIM_IDN = _key("xn--bcher-kva.test", "s1", _RSA["victim"])
NOPOLICY = _key("nopolicy.test", "s1", _RSA["victim"])
NEWSLETTER = _key("example.org", "news", _RSA["victim"])
ATTACKER = _key("attacker.test", "m1", _RSA["attacker"])
TENANT = _key("tenant.strict.test", "m1", _RSA["attacker"])  # below victim's other domain
FORWARDER = _key("forwarder.test", "f1", _ED["forwarder"])
RELAY = _key("relay.test", "r1", _ED["relay"])

# RSA keys of 512 bits can be bought by the hour: these primes stand for one that was broken.
BROKEN_P = 0xFB2DB101258DA60A4C844036108CEAA7CBB7E03F7C02E7454A36D9EE3330EFB7
BROKEN_Q = 0xECEEBA987A4652813CA7EAEF96E633D595E7F6C402E363054B1FD311A4471149


def _broken_record() -> str:
    public = RSAPublicNumbers(65537, BROKEN_P * BROKEN_Q).public_key()
    octets = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; p={base64.b64encode(octets).decode()}"


def _keys() -> str:
    published = [
        (key, record_of(key.key))
        for key in (
            *(VICTIM, VICTIM_ED, VICTIM_MAIL, VICTIM_IDN, NOPOLICY, NEWSLETTER, ATTACKER, TENANT),
            *(FORWARDER, RELAY),
        )
    ]
    attackers = record_of(_RSA["attacker"])
    # Keys at the victim's domain whose private half has got to the attacker, and why none counts.
    leaked = {
        "revoked": "v=DKIM1; p=",
        "reports": attackers.replace("k=rsa;", "k=rsa; s=tlsrpt;"),
        "sha1only": attackers.replace("k=rsa;", "k=rsa; h=sha1;"),
        "whole": attackers.replace("k=rsa;", "k=rsa; t=s;"),
        "version": attackers.replace("v=DKIM1", "v=DKIM2"),
        "short": _broken_record(),
    }
    lines = [zone_line(f"{k.selector}._domainkey.{k.domain}", record) for k, record in published]
    lines += [zone_line(f"{s}._domainkey.victim.test", record) for s, record in leaked.items()]
    # Two records at one selector: which of them would a verifier take?
    lines += [
        zone_line("twice._domainkey.victim.test", record)
        for record in (attackers, record_of(_RSA["victim"]))
    ]
    return "\n".join(lines)


ZONE = f"""\
$TTL 300
victim.test.               IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
_dmarc.victim.test.        IN TXT "v=DMARC1; p=reject; np=reject"
mail.victim.test.          IN A   {VICTIM_IP}
news.victim.test.          IN A   {VICTIM_IP}
xn--bcher-kva.test.        IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
_dmarc.xn--bcher-kva.test. IN TXT "v=DMARC1; p=reject"

strict.test.               IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
_dmarc.strict.test.        IN TXT "v=DMARC1; p=reject; adkim=s; aspf=s"
tenant.strict.test.        IN TXT "v=spf1 ip4:{ATTACKER_IP} -all"

attacker.test.             IN TXT "v=spf1 +all"
mx.attacker.test.          IN TXT "v=spf1 +all"
mx.attacker.test.          IN A   {ATTACKER_IP}
_dmarc.attacker.test.      IN TXT "v=DMARC1; p=reject"
victim.test.attacker.test. IN TXT "v=spf1 +all"
borrowed.attacker.test.    IN TXT "v=spf1 include:victim.test +all"

nopolicy.test.             IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
loop.test.                 IN TXT "v=spf1 include:loop.test ip4:{VICTIM_IP} -all"
_dmarc.loop.test.          IN TXT "v=DMARC1; p=reject"
macro.test.                IN TXT "v=spf1 exists:%{{l}}.ok.macro.test -all"
office.ok.macro.test.      IN A   127.0.0.2
_dmarc.macro.test.         IN TXT "v=DMARC1; p=reject"
two.test.                  IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
two.test.                  IN TXT "v=spf1 +all"
_dmarc.two.test.           IN TXT "v=DMARC1; p=reject"
subonly.test.              IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
_dmarc.subonly.test.       IN TXT "v=DMARC1; p=none; sp=reject"
real.subonly.test.         IN A   {VICTIM_IP}
nponly.test.               IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
_dmarc.nponly.test.        IN TXT "v=DMARC1; p=none; sp=none; np=reject"
twodmarc.test.             IN A   {VICTIM_IP}
_dmarc.twodmarc.test.      IN TXT "v=DMARC1; p=reject"
_dmarc.twodmarc.test.      IN TXT "v=DMARC1; p=quarantine"
malformed.test.            IN A   {VICTIM_IP}
_dmarc.malformed.test.     IN TXT "v=DMARC1 p=reject"
watching.test.             IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
_dmarc.watching.test.      IN TXT "v=DMARC1; p=none"
suffix.test.               IN TXT "v=spf1 +all"
_dmarc.suffix.test.        IN TXT "v=DMARC1; p=none; psd=y"
one.suffix.test.           IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
other.suffix.test.         IN TXT "v=spf1 +all"
broken.test.               IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
tenant.broken.test.        IN TXT "v=spf1 ip4:{ATTACKER_IP} -all"
silent.test.               IN TXT "v=spf1 ip4:{VICTIM_IP} -all"
_dmarc.silent.test.        IN TXT "v=DMARC1; p=reject"

forwarder.test.            IN TXT "v=spf1 ip4:{FORWARDER_IP} -all"
_dmarc.forwarder.test.     IN TXT "v=DMARC1; p=reject"
relay.test.                IN TXT "v=spf1 ip4:{FORWARDER_IP} -all"

example.org.               IN TXT "v=spf1 mx -all"
example.org.               IN MX  10 mailguard.example.org.
mailguard.example.org.     IN A   192.0.2.26
_dmarc.example.org.        IN TXT "v=DMARC1; p=reject"
{_keys()}
"""

FAILING = ("_dmarc.broken.test.", "s1._domainkey.silent.test.")  # names that give SERVFAIL


class Names(DnsServer):
    """The zone; names that are FAILING fail."""

    def answer(self, query: dns.message.Message) -> dns.message.Message | None:
        if str(query.question[0].name).lower() in FAILING:
            response = dns.message.make_response(query)
            response.set_rcode(dns.rcode.SERVFAIL)
            return response
        return super().answer(query)
