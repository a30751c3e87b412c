"""`mailguard dkim`: make a signing key, and see that DNS serves its public half (RFC 6376 3.6)."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mailguard.core.mail.safe_text import terminal
from mailguard.terminal import JsonOption, fail, print_json, print_table

if TYPE_CHECKING:
    from mailguard.config.settings.schema import DnsSettings
    from mailguard.core.authentication.dkim_signing import PrivateKey
    from mailguard.core.authentication.dns_answers import Answer

commands = typer.Typer(name="dkim", help="Keys that sign outbound mail.", no_args_is_help=True)

_NAME = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.(?!-)[A-Za-z0-9_-]{1,63})*")
_STRING = 255  # octets of one string in a TXT record (RFC 1035 3.3)

DomainOption = Annotated[str, typer.Option("--domain", help="The domain that signs.")]
SelectorOption = Annotated[
    str, typer.Option("--selector", help="The key's name; a new one for every new key.")
]


class KeyType(StrEnum):
    """What receivers can check: RSA by all, Ed25519 (RFC 8463) by some. Use both."""

    RSA = "rsa"
    ED25519 = "ed25519"


@commands.callback()
def _group() -> None:
    """Keys that sign outbound mail."""


@commands.command("keygen")
def keygen(
    domain: DomainOption,
    selector: SelectorOption,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The new file for the private key.")
    ],
    key_type: Annotated[KeyType, typer.Option("--type", help="Make one of each.")] = KeyType.RSA,
) -> None:
    """Write a private key (PKCS #8 PEM, mode 0600) and print the DNS record to publish."""
    import os

    from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    from mailguard.core.authentication.dkim_signing import record_of

    name = _name(domain, selector)
    key: PrivateKey = (
        rsa.generate_private_key(65_537, 2_048)
        if key_type is KeyType.RSA
        else ed25519.Ed25519PrivateKey.generate()
    )
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            os.fchmod(descriptor, 0o600)  # whatever the umask says
            stream.write(pem)
            stream.flush()
            os.fsync(descriptor)
    except FileExistsError:
        fail(f"{output} exists; a key is never written over. Choose another file.")
    except OSError as error:
        fail(f"{output} cannot be written: {error.strerror}")
    typer.echo(zone_line(name, record_of(key)))
    typer.secho(
        f"{output}: private key written. Publish the record above, then run:\n"
        f"  mailguard dkim check --domain {domain} --selector {selector} --key {output}",
        err=True,
    )


@commands.command("check")
def check(
    domain: DomainOption,
    selector: SelectorOption,
    dns: Annotated[
        str, typer.Option("--dns", metavar="HOST:PORT", help="Ask this server; else the system's.")
    ] = "",
    key: Annotated[
        Path | None, typer.Option("--key", help="The private key that must belong to the record.")
    ] = None,
    message: Annotated[
        Path | None, typer.Option("--message", help="A message that was signed with the key.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare what DNS serves with what ought to be there; exit 1 and say what is wrong.

    dkimpy is asked besides: of the record, of a message signed with --key, of --message. What it
    says stands in the table and leaves the exit code alone.
    """
    import asyncio

    from pydantic import ValidationError

    from mailguard.cli import dkim_opinions
    from mailguard.config.form.forms import Address
    from mailguard.config.settings.schema import DnsSettings
    from mailguard.core.authentication.dkim_signing import load_private_key, record_of

    name = _name(domain, selector)
    private, raw = None, None
    if message is not None:
        try:
            raw = message.read_bytes()
        except OSError as error:
            fail(f"{message} cannot be read: {error.strerror}")
    if key is not None:
        try:
            private = load_private_key(key.read_bytes())
        except OSError as error:
            fail(f"{key} cannot be read: {error.strerror}")
        except ValueError as error:
            fail(f"{key}: {error}")
    try:
        servers = (Address.model_validate(dns),) if dns else ()
        settings = DnsSettings(servers=servers)
    except ValidationError:
        fail(f"{dns} is not HOST:PORT")
    answer = asyncio.run(_look_up(settings, name))
    problems, remarks = judge(answer, private)
    opinions = dkim_opinions.both(domain.lower(), selector.lower(), answer, private, raw)
    wanted = zone_line(name, record_of(private)) if problems and private is not None else ""
    if as_json:
        print_json(
            {
                "name": name,
                "good": not problems,
                "problems": problems,
                "remarks": remarks,
                "record": wanted or None,
                "opinions": [row._asdict() for row in opinions],
            }
        )
    else:
        _show(name, problems, remarks, wanted)
        if opinions:
            print_table("", dkim_opinions.COLUMNS, opinions)
    if problems:
        raise typer.Exit(1)


def _show(name: str, problems: list[str], remarks: list[str], wanted: str) -> None:
    for text in problems:
        typer.secho(f"{name}: {terminal(text)}", err=True)
    if wanted:
        typer.secho("The record ought to be:", err=True)
        typer.echo(wanted)
    for text in remarks:
        typer.echo(f"{name}: {text}")


def judge(answer: Answer, private: PrivateKey | None) -> tuple[list[str], list[str]]:
    """(what is wrong, what is to be known) of an answer, in words."""
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    from mailguard.core.authentication.key_records import NoKey, key_of, public_octets

    found = key_of(answer)
    if isinstance(found, NoKey):
        if found.result == "temperror":
            return [f"{found.reason}. Nothing is known; ask again."], []
        return [f"{found.reason}. Receivers take mail signed with this key for unsigned."], []
    if private is not None and public_octets(found.key) != public_octets(private.public_key()):
        return ["DNS serves another key than this file holds: every signature fails."], []
    remarks = [f"good: {found.algorithm}, {found.bits} bits."]
    if private is not None:
        remarks.append("it belongs to the private key.")
    if isinstance(found.key, RSAPublicKey) and found.bits < 2_048:
        remarks.append("an RSA key ought to have 2048 bits (RFC 8301).")
    if found.testing:
        remarks.append("t=y says that you are testing; take it out when you are not.")
    if found.strict:
        remarks.append("t=s forbids signatures for addresses in subdomains.")
    return [], remarks


def zone_line(name: str, record: str) -> str:
    """The record as a zone file has it, cut into strings that a TXT record can hold."""
    strings = [record[start : start + _STRING] for start in range(0, len(record), _STRING)]
    quoted = "\n    ".join(f'"{string}"' for string in strings)
    return f"{name}. 3600 IN TXT (\n    {quoted} )"


def _name(domain: str, selector: str) -> str:
    for text in (domain, selector):
        if not _NAME.fullmatch(text):
            fail(f"{terminal(text)} is not a domain name in ASCII, without a dot at its end.")
    name = f"{selector}._domainkey.{domain}".lower()
    if len(name) > 253:
        fail(f"{name} is too long for a domain name.")
    return name


async def _look_up(settings: DnsSettings, name: str) -> Answer:
    from mailguard.adapters.authentication.dns import CachingResolver

    resolver = CachingResolver(settings)
    try:
        return await resolver.look_up(name, "TXT")
    finally:
        await resolver.close()
