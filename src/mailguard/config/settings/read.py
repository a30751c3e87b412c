"""From `mailguard.yaml` to Settings, with the rules that concern several values at once.

Must not know policy, people or how a setting is used.
"""

from __future__ import annotations

from pathlib import Path

from mailguard.config.form.errors import ConfigError, ConfigErrors
from mailguard.config.form.validate import validate
from mailguard.config.form.yaml import Document, Key, load_file
from mailguard.config.settings.schema import ListenerSettings, Settings
from mailguard.core.mail.safe_text import quoted
from mailguard.core.mail.transaction import Role
from mailguard.core.people.district import District

FILE = "mailguard.yaml"


def load_settings(directory: Path) -> Settings:
    """Read `mailguard.yaml`; relative paths in it begin at the directory. Raises ConfigErrors."""
    document = load_file(directory / FILE)
    value = document.value
    if isinstance(value, dict):
        value = {**value, "storage": value.get("storage") or {}}  # so that its paths are resolved
    settings = validate(Settings, value, document, context={"directory": directory})
    errors = _listeners(settings, document) + _files(settings, document)
    errors += _addresses(settings, document)
    if errors:
        raise ConfigErrors(errors)
    return settings


def district_of(settings: Settings) -> District:
    """The district as checks and notices know it."""
    configured = settings.district
    return District(
        name=configured.name,
        short_name=configured.short_name,
        domains=configured.domains,
        spammail=configured.spammail,
        postmaster=configured.postmaster,
        authserv_id=settings.hostname,
        administrator=configured.administrator,
        department=configured.department,
        events_address=configured.events_address,
        approvals=configured.approvals or f"approvals@{configured.domains[0]}",
        copy_page_url=settings.http.public_url,
        time_zone=configured.time_zone,
    )


def _listeners(settings: Settings, document: Document) -> list[ConfigError]:
    errors = []
    names: dict[str, int] = {}
    sockets: dict[str, int] = {}
    for index, listener in enumerate(settings.listeners):
        at: Key = ("listeners", index)
        first = names.setdefault(listener.name, index)
        if first != index:
            problem = f"{quoted(listener.name)} is the name of listeners[{first}] already"
            errors.append(document.error((*at, "name"), problem, "each name once"))
        first = sockets.setdefault(str(listener.address), index)
        if first != index and listener.address.port:
            problem = f"{listener.address} is the address of listeners[{first}] already"
            errors.append(document.error((*at, "address"), problem, "each address once"))
        errors += _listener(listener, settings, document, at)
    return errors


def _listener(
    listener: ListenerSettings, settings: Settings, document: Document, at: Key
) -> list[ConfigError]:
    errors = []
    certified = listener.tls_certificate is not None
    if certified != (listener.tls_key is not None):
        lacking = "tls_key" if certified else "tls_certificate"
        errors.append(
            document.error((*at, lacking), "is missing", "tls_certificate and tls_key together")
        )
    for name in ("implicit_tls", "tls_required"):
        if getattr(listener, name) and not certified:
            problem = "needs a certificate"
            errors.append(document.error((*at, name), problem, "tls_certificate and tls_key set"))
    if listener.role is Role.RELAY and not listener.trusted_peers:
        problem = "a relay listener trusts its clients and names none"
        allowed = "a list of addresses and networks, as in 192.0.2.0/24"
        errors.append(document.error((*at, "trusted_peers"), problem, allowed))
    if listener.proxy_protocol and not listener.trusted_peers:
        problem = "a PROXY header may come from trusted peers alone, and none is named"
        errors.append(document.error((*at, "proxy_protocol"), problem, "trusted_peers set"))
    for index, peer in enumerate(listener.trusted_peers):
        if peer.endswith("/0"):
            problem = f"{quoted(peer)} trusts the whole world"
            allowed = "the district's own servers"
            errors.append(document.error((*at, "trusted_peers", index), problem, allowed))
    if listener.role is Role.SUBMISSION:
        auth = settings.auth
        if auth.password_file is None and not auth.pass_to_next_hop:
            problem = f"is needed by the submission listener {quoted(listener.name)}"
            allowed = "auth.password_file, or auth.pass_to_next_hop: true"
            errors.append(document.error(("auth",), problem, allowed))
        if not certified and not auth.insecure_login:
            problem = "without TLS nobody can log in here"
            allowed = "tls_certificate and tls_key, or auth.insecure_login: true on loopback"
            errors.append(document.error(at, problem, allowed))
    return errors


def _files(settings: Settings, document: Document) -> list[ConfigError]:
    """Files that must be there before a socket is bound."""
    wanted: list[tuple[Key, Path | None]] = [(("next_hop", "tls_ca"), settings.next_hop.tls_ca)]
    for index, listener in enumerate(settings.listeners):
        wanted.append((("listeners", index, "tls_certificate"), listener.tls_certificate))
        wanted.append((("listeners", index, "tls_key"), listener.tls_key))
    return [
        document.error(path, f"there is no file {quoted(str(file))}")
        for path, file in wanted
        if file is not None and not file.is_file()
    ]


def _addresses(settings: Settings, document: Document) -> list[ConfigError]:
    """The district's own mailboxes must be at its own domains: mail to them is exempt or told."""
    district = district_of(settings)
    errors = []
    for name in ("spammail", "postmaster", "events_address"):
        mailbox = getattr(settings.district, name)
        if mailbox and not district.owns(mailbox):
            problem = f"{quoted(mailbox)} is at none of the district's domains"
            allowed = f"an address at {', '.join(district.domains)}"
            errors.append(document.error(("district", name), problem, allowed))
    seen: dict[str, int] = {}
    for index, domain in enumerate(settings.district.domains):
        if seen.setdefault(domain, index) != index:
            problem = f"{quoted(domain)} is in the list already"
            errors.append(
                document.error(("district", "domains", index), problem, "each domain once")
            )
    return errors
