"""The example district as a throwaway copy: configuration on free loopback ports, own state.

Owns the directory of one demo and what is changed in the copied `mailguard.yaml`, comment by
comment kept. Must not know what runs in it.
"""

from __future__ import annotations

import shutil
import socket
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import yaml

from mailguard.adapters.passwords import hash_password
from mailguard.config.load import Loaded, load
from mailguard.config.settings.read import FILE
from mailguard.core.mail.transaction import Role

HOST = "127.0.0.1"
PASSWORD = "demo-only"  # noqa: S105 - printed for everybody to see; it opens nothing but the demo


class DemoError(Exception):
    """The demo cannot go on; the text says why, for people."""


@dataclass(frozen=True)
class DemoDistrict:
    """Where one demo lives."""

    root: Path
    loaded: Loaded  # the copied configuration
    dns_port: int
    listeners: Mapping[str, int]  # port by role

    @property
    def config(self) -> Path:
        return self.root / "config"

    @property
    def maildirs(self) -> Path:
        return self.root / "mail"

    @property
    def log(self) -> Path:
        return self.root / "mailguard.log"

    @property
    def next_hop_port(self) -> int:
        return self.loaded.settings.next_hop.address.port

    @property
    def http_port(self) -> int:
        return self.loaded.settings.http.address.port

    def mailboxes(self) -> set[str]:
        """Every address that the district's mail server knows."""
        people = self.loaded.snapshot.directory
        district = self.loaded.settings.district
        found = {address for person in people.people.values() for address in person.addresses}
        found |= {a for account in people.accounts.values() for a in account.addresses}
        found |= set(people.groups)
        found |= {district.spammail, district.postmaster, district.events_address} - {""}
        return found


def prepare(config: Path, root: Path, accounts: Iterable[str]) -> DemoDistrict:
    """Copy the configuration into `root` and make it live there: ports, state and passwords.

    Raises DemoError, ConfigErrors for a configuration with errors, or OSError.
    """
    if not (config / FILE).is_file():
        raise DemoError(
            f"there is no {config / FILE}; name the example district's directory by --config"
        )
    settings = load(config).settings  # what is wrong is told with its own place, not the copy's
    copied = root / "config"
    shutil.copytree(config, copied)
    state = root / "state"
    state.mkdir(mode=0o700)
    _write_passwords(state / "passwords", accounts)

    ports = _free_ports(len(settings.listeners) + 3)
    dns, next_hop, http, *listening = ports
    wanted: dict[tuple[str | int, ...], str] = {
        ("next_hop", "address"): f"{HOST}:{next_hop}",
        ("auth", "password_file"): str(state / "passwords"),
        ("auth", "insecure_login"): "true",
        ("http", "address"): f"{HOST}:{http}",
        ("http", "public_url"): f"http://{HOST}:{http}",
        ("storage", "state"): str(state),
        ("storage", "database"): '""',
        ("dns", "servers"): f"[{HOST}:{dns}]",
    }
    wanted |= {("listeners", n, "address"): f"{HOST}:{port}" for n, port in enumerate(listening)}
    file = copied / FILE
    file.write_text(rewritten(file.read_text(encoding="utf-8"), wanted), encoding="utf-8")
    roles = {one.role.value: port for one, port in zip(settings.listeners, listening, strict=True)}
    missing = sorted({role.value for role in Role} - set(roles))
    if missing:
        raise DemoError(
            f"the demo needs a listener with role {', '.join(missing)} in {config / FILE}"
        )
    return DemoDistrict(root, load(copied, create_keys=True), dns, roles)


def _write_passwords(file: Path, accounts: Iterable[str]) -> None:
    lines = [f"{login}:{hash_password(PASSWORD.encode())}\n" for login in accounts]
    file.touch(mode=0o600)
    file.write_text("".join(lines), encoding="utf-8")


def _free_ports(count: int) -> list[int]:
    """Ports that nobody uses, TCP and UDP: all held at once, so that no two are the same."""
    with ExitStack() as held:
        found: list[int] = []
        while len(found) < count:
            tcp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            udp = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            tcp.bind((HOST, 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            found.append(tcp.getsockname()[1])
        return found


def rewritten(text: str, wanted: Mapping[tuple[str | int, ...], str]) -> str:
    """A YAML text with the values at these paths replaced or added; all else as it was.

    A path goes through mappings and sequences that exist, but its last two steps may be new.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    edits: list[tuple[int, int, str]] = []
    added: dict[str, list[str]] = {}
    for path, value in wanted.items():
        parent = _at(root, path[:-1])
        node = _at(parent, path[-1:])
        if node is not None:
            edits.append((node.start_mark.index, node.end_mark.index, value))
        elif isinstance(parent, yaml.MappingNode) and parent.value:
            at, column = parent.value[0][0].start_mark.index, parent.value[0][0].start_mark.column
            between = ", " if parent.flow_style else "\n" + " " * column
            edits.append((at, at, f"{path[-1]}: {value}{between}"))
        else:
            added.setdefault(str(path[0]), []).append(f"  {path[-1]}: {value}\n")
    for start, end, value in sorted(edits, reverse=True):
        text = text[:start] + value + text[end:]
    sections = "".join(f"\n{name}:\n{''.join(lines)}" for name, lines in added.items())
    return text.rstrip("\n") + "\n" + sections


def _at(node: yaml.Node | None, path: tuple[str | int, ...]) -> yaml.Node | None:
    for step in path:
        if isinstance(node, yaml.MappingNode):
            node = next((value for key, value in node.value if key.value == step), None)
        elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
            node = node.value[step] if step < len(node.value) else None
        else:
            return None
    return node
