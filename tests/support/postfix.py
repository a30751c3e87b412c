"""Real Postfix instances on loopback, each with its own configuration, queue and data directory.

`Postfix.next_hop(...)` delivers to Maildirs and refuses unknown users; `Postfix.relaying_to(...)`
is the client's side: it takes anything and hands it to one host and port. Several may run at once.
The system's own Postfix and /etc/postfix are left alone. Needs root, as Postfix itself does.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType

import pytest
from tests.support.peers import require
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

_MASTER = """\
{listen}  inet  n - n - -    smtpd
pickup    unix  n - n 1    1 pickup
cleanup   unix  n - n - 0    cleanup
qmgr      unix  n - n 1    1 qmgr
tlsmgr    unix  - - n 1000? 1 tlsmgr
rewrite   unix  - - n - -    trivial-rewrite
bounce    unix  - - n - 0    bounce
defer     unix  - - n - 0    bounce
trace     unix  - - n - 0    bounce
verify    unix  - - n - 1    verify
flush     unix  n - n 1000? 0 flush
proxymap  unix  - - n - -    proxymap
proxywrite unix - - n - 1    proxymap
smtp      unix  - - n - -    smtp
relay     unix  - - n - -    smtp
showq     unix  n - n - -    showq
error     unix  - - n - -    error
retry     unix  - - n - -    error
discard   unix  - - n - -    discard
virtual   unix  - n n - -    virtual
anvil     unix  - - n - 1    anvil
scache    unix  - - n - 1    scache
postlog   unix-dgram n - n - 1 postlogd
"""

_QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming"),
    *("private", "saved", "trace"),
)


class Postfix:
    """One instance. Use it as a context manager, or call `start` and `stop`."""

    def __init__(self, parameters: Mapping[str, str], port: int = 0) -> None:
        self.host = "127.0.0.1"
        self.port = port or free_port()
        self.root = Path(tempfile.mkdtemp(prefix="postfix-test-"))
        self.configuration = self.root / "etc"
        self.queue = self.root / "spool"
        self.mail = self.root / "mail"  # the next hop's Maildirs: mail/<address>/new/
        self.log_file = self.root / "maillog"
        self._parameters = dict(parameters)
        self._server: subprocess.Popen[bytes] | None = None

    @classmethod
    def next_hop(
        cls, mailboxes: Iterable[str], port: int = 0, parameters: Mapping[str, str] | None = None
    ) -> Postfix:
        """A mail server that knows these mailboxes and is the destination for their domains."""
        known = [mailbox.lower() for mailbox in mailboxes]
        instance = cls(
            {
                "virtual_mailbox_domains": " ".join(sorted({m.rpartition("@")[2] for m in known})),
                "virtual_transport": "virtual",
                "virtual_minimum_uid": "1",
                "smtpd_authorized_xforward_hosts": "127.0.0.0/8",
                **(parameters or {}),
            },
            port,
        )
        user = pwd.getpwnam("nobody")
        os.chown(_made(instance.mail), user.pw_uid, user.pw_gid)
        instance._parameters |= {
            "virtual_mailbox_base": str(instance.mail),
            "virtual_uid_maps": f"static:{user.pw_uid}",
            "virtual_gid_maps": f"static:{user.pw_gid}",
            "virtual_mailbox_maps": f"texthash:{instance.configuration}/mailboxes",
        }
        _made(instance.configuration)
        (instance.configuration / "mailboxes").write_text(
            "".join(f"{mailbox} {mailbox}/\n" for mailbox in known)
        )
        return instance

    @classmethod
    def relaying_to(
        cls, host: str, relay_port: int, port: int = 0, parameters: Mapping[str, str] | None = None
    ) -> Postfix:
        """A client's side: takes mail for anybody from loopback and relays it to host:port."""
        return cls(
            {
                "relayhost": f"[{host}]:{relay_port}",
                "minimal_backoff_time": "5s",
                "queue_run_delay": "5s",
                "smtp_tls_security_level": "none",
                **(parameters or {}),
            },
            port,
        )

    def __enter__(self) -> Postfix:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait for its greeting."""
        program = require("postfix", "postfix")
        if os.geteuid() != 0:
            pytest.skip("a Postfix of one's own needs root; run with: sudo make test")
        self._configure()
        self._server = subprocess.Popen(
            [program, "-c", str(self.configuration), "start-fg"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        server = self._server
        try:
            until(lambda: self._greets() or server.poll() is not None, self.log, "Postfix to greet")
            assert server.poll() is None, f"Postfix ended at once:\n{self.log()}"
        except AssertionError:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop it, by the process ids of its own group, and remove its directories."""
        server, self._server = self._server, None
        if server is not None:
            master = self._master()
            if master is not None:
                os.kill(master, signal.SIGTERM)  # it passes it on to its own process group
            try:
                server.wait(20 if master is not None else 0)
            except subprocess.TimeoutExpired:
                pass
            for group in filter(None, (master, server.pid)):
                try:
                    os.killpg(group, signal.SIGKILL)  # whoever is left
                except ProcessLookupError:
                    pass
            server.wait(PATIENCE)
        shutil.rmtree(self.root, ignore_errors=True)

    def pause(self) -> None:
        """Let it hang: the port stays open and nobody answers."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `pause`."""
        self._signal(signal.SIGCONT)

    def log(self) -> str:
        """What it has logged so far."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def delivered(self, mailbox: str) -> list[bytes]:
        """The messages in a mailbox, oldest first, as the Maildir has them: lines end in LF."""
        new = self.mail / mailbox.lower() / "new"
        if not new.is_dir():
            return []
        files = sorted(new.iterdir(), key=lambda file: file.stat().st_mtime_ns)
        return [file.read_bytes() for file in files]

    def wait_for(self, mailbox: str, count: int = 1) -> list[bytes]:
        """`delivered` once there are `count` messages; AssertionError with the log if not."""

        def told() -> str:
            return f"there are {len(self.delivered(mailbox))}\n{self.log()}"

        what = f"{count} messages in {mailbox}"
        until(lambda: len(self.delivered(mailbox)) >= count, told, what)
        return self.delivered(mailbox)

    def queued(self) -> int:
        """Messages in its queue, whatever their state."""
        names = ("maildrop", "incoming", "active", "deferred", "hold")
        return sum(1 for name in names for file in (self.queue / name).rglob("*") if file.is_file())

    def flush(self) -> None:
        """Try everything in the queue now."""
        program = require("postqueue", "postfix")
        subprocess.run([program, "-c", str(self.configuration), "-f"], check=True, timeout=PATIENCE)

    def kill(self) -> None:
        """End every process of it by SIGKILL, as a crash would; `start` brings it back."""
        self._signal(signal.SIGKILL)
        assert self._server is not None
        self._server.wait(PATIENCE)
        self._server = None

    def _master(self) -> int | None:
        """The master's process id, which is its group's and its session's too."""
        try:
            return int((self.queue / "pid" / "master.pid").read_text())
        except (OSError, ValueError):
            return None

    def _signal(self, number: signal.Signals) -> None:
        master = self._master()
        assert master is not None, "not started"
        os.killpg(master, number)

    def _greets(self) -> bool:
        try:
            with socket.create_connection((self.host, self.port), 10) as client:
                return client.recv(3) == b"220"
        except OSError:
            return False

    def _configure(self) -> None:
        self.root.chmod(0o755)  # Postfix's processes give up root before they look
        postfix = pwd.getpwnam("postfix")
        _made(self.configuration)
        _made(self.queue)
        lists = _made(self.root / "data")
        os.chown(lists, postfix.pw_uid, postfix.pw_gid)
        # What "postfix check" would make in two seconds; "quick-start" leaves that out.
        postdrop = grp.getgrnam("postdrop").gr_gid
        for name in _QUEUES:
            os.chown(_made(self.queue / name), postfix.pw_uid, 0)
            (self.queue / name).chmod(0o700)
        for name, mode in (("maildrop", 0o730), ("public", 0o710)):
            os.chown(_made(self.queue / name), postfix.pw_uid, postdrop)
            (self.queue / name).chmod(mode)
        _made(self.queue / "pid")
        (self.queue / "quick-start").touch()
        parameters = {
            "compatibility_level": "3.6",
            "queue_directory": str(self.queue),
            "data_directory": str(lists),
            "maillog_file": str(self.log_file),
            "maillog_file_prefixes": str(self.root),
            "myhostname": "mail.example.org",
            "mydestination": "",
            "mynetworks": "127.0.0.0/8",
            "inet_interfaces": "127.0.0.1",
            "inet_protocols": "ipv4",
            "alias_maps": "",
            "alias_database": "",
            "local_recipient_maps": "",
            "smtpd_relay_restrictions": "permit_mynetworks reject",
            "smtpd_reject_unlisted_recipient": "yes",
            "smtpd_peername_lookup": "no",
            "smtp_host_lookup": "native",
            "smtp_dns_support_level": "disabled",
            "smtpd_error_sleep_time": "0",
            "smtpd_client_connection_count_limit": "0",
            "smtputf8_enable": "yes",
            "message_size_limit": "104857600",
            "mailbox_size_limit": "0",
            "virtual_mailbox_limit": "0",
            "in_flow_delay": "0",
            "max_idle": "60s",
            **self._parameters,
        }
        (self.configuration / "main.cf").write_text(
            "".join(f"{name} = {value}\n" for name, value in parameters.items())
        )
        (self.configuration / "master.cf").write_text(
            _MASTER.format(listen=f"{self.host}:{self.port}")
        )
        for file in self.configuration.iterdir():  # it waits two seconds for one just written
            os.utime(file, (past := time.time() - 60, past))


def _made(directory: Path) -> Path:
    directory.mkdir(mode=0o755, parents=True, exist_ok=True)
    return directory
