"""A real `mailguard serve` on loopback with the example district, and clients that talk to it."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.support.nameserver import nameserver
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

from mailguard.adapters.passwords import hash_password

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(sys.executable).with_name("mailguard")
PASSWORD = "correct horse battery staple"
LISTENERS = {"mx": "2525", "submission": "2587", "relay": "2526", "http": "8025"}


class Serve:
    """One mailguard in a directory of its own. `start`, `stop`, `kill`, and start again."""

    def __init__(
        self,
        next_hop: int,
        settings: Mapping[str, str] | None = None,
        policy: str | None = None,
        launcher: Sequence[str] = (),
    ) -> None:
        self.root = Path(tempfile.mkdtemp(prefix="mailguard-test-"))
        self.config = self.root / "config"
        self.state = self.root / "state"
        self.log_file = self.root / "log"
        self.ports = {name: free_port() for name in LISTENERS}
        self._launcher = tuple(launcher) or (str(PROGRAM),)
        self.process: subprocess.Popen[bytes] | None = None
        shutil.copytree(ROOT / "config", self.config)
        text = (self.config / "mailguard.yaml").read_text()
        for name, written in LISTENERS.items():
            text = text.replace(f"127.0.0.1:{written}", f"127.0.0.1:{self.ports[name]}")
        text = text.replace("127.0.0.1:2600", f"127.0.0.1:{next_hop}")
        text += f"\ndns:\n  servers: ['{nameserver()}']\n"
        for old, new in (settings or {}).items():
            assert old in text, old
            text = text.replace(old, new)
        (self.config / "mailguard.yaml").write_text(text)
        if policy is not None:
            (self.config / "policy.yaml").write_text(policy)
        self.state.mkdir(mode=0o700)
        hashed = hash_password(PASSWORD.encode())
        logins = ("tolive", "saspen", "wbirch", "crowan", "copier-oak", "bpoplar")
        (self.state / "passwords").write_text("".join(f"{login}:{hashed}\n" for login in logins))

    def __enter__(self) -> Serve:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self, environment: Mapping[str, str] | None = None) -> Serve:
        """Start and wait for the greeting, which means ready."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [*self._launcher, "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, **(environment or {})},
            )
        until(self._greets, self.log, "serve to greet")
        return self

    def _greets(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise RuntimeError(f"serve ended with {self.process.returncode}:\n{self.log()}")
        try:
            with socket.create_connection(("127.0.0.1", self.ports["mx"]), PATIENCE) as probe:
                assert probe.recv(4).startswith(b"220")
                probe.sendall(b"QUIT\r\n")
                return True
        except OSError:
            return False

    def stop(self) -> int:
        """SIGTERM and wait; the exit code."""
        if self.process is None or self.process.poll() is not None:
            return -1 if self.process is None else int(self.process.returncode)
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(PATIENCE)

    def kill(self) -> None:
        """SIGKILL, as a crash."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(PATIENCE)

    def log(self) -> str:
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def command(self, *arguments: str, check: bool = True, stdin: bytes = b"") -> bytes:
        """The standard output of a mailguard command with this configuration."""
        done = subprocess.run(
            [PROGRAM, *arguments, "--config", str(self.config)],
            input=stdin,
            capture_output=True,
            timeout=PATIENCE,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"{arguments}: exit {done.returncode}\n{done.stderr.decode()}")
        return done.stdout

    def ledger(self) -> list[dict[str, Any]]:
        """Every acknowledged message."""
        return [json.loads(line) for line in self.command("ledger", "--json").splitlines()]

    def everything(self) -> list[dict[str, Any]]:
        """Refused and deferred messages too."""
        lines = self.command("ledger", "--all", "--json").splitlines()
        return [json.loads(line) for line in lines]

    def page(self, path: str) -> str:
        """A page of the HTTP server."""
        url = f"http://127.0.0.1:{self.ports['http']}{path}"
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
            return str(answer.read().decode())

    def metric(self, name: str, **labels: str) -> float:
        """A metric's value, 0 where it is not there yet."""
        wanted = "".join(f'(?=[^}}]*{k}="{re.escape(v)}")' for k, v in labels.items())
        pattern = rf"^{name}(?:\{{{wanted}[^}}]*\}})? (\S+)$"
        return sum(float(value) for value in re.findall(pattern, self.page("/metrics"), re.M))

    def send(
        self,
        reverse_path: str,
        recipients: Sequence[str],
        raw: bytes,
        listener: str = "mx",
        login: str = "",
        seconds: float = PATIENCE,
    ) -> tuple[int, str]:
        """One transaction; the reply that ended it. Raises OSError when the server went away."""
        with smtplib.SMTP("127.0.0.1", self.ports[listener], timeout=seconds) as client:
            client.ehlo("client.example.net")
            if login:
                client.login(login, PASSWORD)
            code, text = client.mail(reverse_path)
            if code != 250:
                return code, text.decode()
            for recipient in recipients:
                code, text = client.rcpt(recipient)
                if code != 250:
                    return code, text.decode()
            code, text = client.data(raw)
            return code, text.decode()


def message(
    sender: str = "parent@example.com",
    to: str = "tara.olive@example.org",
    subject: str = "A question",
    body: str = "Hello, when is the next meeting?",
    **fields: str,
) -> bytes:
    """A plain, well-formed message."""
    lines = [
        f"From: {sender}",
        f"To: {to}",
        f"Subject: {subject}",
        "Date: Fri, 20 Nov 2026 09:30:00 -0800",
        f"Message-ID: <{abs(hash((sender, to, subject, body)))}@example.net>",
        *(f"{name.replace('_', '-')}: {value}" for name, value in fields.items()),
        "MIME-Version: 1.0",
        "Content-Type: text/plain; charset=utf-8",
        "",
        *body.split("\n"),
        "",
    ]
    return "\r\n".join(lines).encode()


def basic(login: str) -> str:
    """AUTH PLAIN's initial response."""
    return base64.b64encode(f"\0{login}\0{PASSWORD}".encode()).decode()
