"""Real rspamd, spamd and clamd on loopback, each with its own configuration and directory.

None of them reaches the network: rspamd's DNS goes nowhere, spamd makes local tests alone, clamd
has a database of our own. The system's own daemons and their directories are left alone.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

from tests.support.peers import require
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, until

GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
# In two pieces, so that no scanner takes this file for the test virus.
EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
EICAR_NAME = "Mailguard.Test.Eicar.UNOFFICIAL"
WORDS = b"These words are called malware by a signature of the tests alone.\r\n"
WORDS_NAME = "Mailguard.Test.Words.UNOFFICIAL"

_RSPAMD = """\
options {{
  pidfile = "{root}/rspamd.pid";
  filters = "regexp";
  cache_file = "{root}/symbols.cache";
  hs_cache_dir = "{root}/";
  tempdir = "{root}";
  url_tld = "{root}/tld";
  control_socket = "{root}/control.sock mode=0600";
  disable_hyperscan = true;
  enable_test_patterns = true;
  dns {{ nameserver = ["127.0.0.1:9"]; timeout = 0.1s; retransmits = 1; }}
}}
logging {{ type = "console"; level = "warning"; }}
worker "normal" {{ bind_socket = "127.0.0.1:{port}"; count = 1; }}
actions {{ reject = 15; add_header = 6; greylist = 4; }}
modules {{ path = "/usr/share/rspamd/plugins/"; }}
lua = "/usr/share/rspamd/rules/rspamd.lua";
"""
_CLAMD = """\
TCPSocket {port}
TCPAddr 127.0.0.1
LocalSocket {root}/clamd.sock
DatabaseDirectory {root}/db
TemporaryDirectory {root}
Foreground true
AlertExceedsMax true
AlertEncrypted true
StreamMaxLength 4M
MaxFileSize 2M
MaxScanSize 3M
"""


class Daemon:
    """One server. Use it as a context manager, or call `start` and `stop`; it starts again on the
    same port."""

    program = ""
    package = ""

    def __init__(self) -> None:
        self.port = free_port()
        self.root = Path(tempfile.mkdtemp(prefix="engine-test-"))
        self.root.chmod(0o755)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Daemon:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self) -> Daemon:
        """Start it and wait until it listens."""
        path = require(self.program, self.package)
        arguments = self.arguments()
        with (self.root / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [path, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            until(self._listens, (self.root / "log").read_text, f"{self.program} to listen")
        except AssertionError:
            self.stop()
            raise
        return self

    def _listens(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.root / "log").read_text()
        try:
            socket.create_connection(("127.0.0.1", self.port), 10).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        """End it and its children; they are a session of their own."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(PATIENCE)
        self._process = None

    def freeze(self) -> None:
        """It takes connections, since the system does that for it, and says nothing."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def arguments(self) -> list[str]:
        """The command line, after its files were written."""
        raise NotImplementedError

    def _give(self, user: str) -> None:
        if os.geteuid() == 0:
            entry = pwd.getpwnam(user)
            for path in (self.root, *self.root.rglob("*")):
                os.chown(path, entry.pw_uid, entry.pw_gid)


class Rspamd(Daemon):
    """A scanner without controller, Redis and network; one list of suffixes of our own, since the
    real one takes a quarter of a minute to compile."""

    program, package = "rspamd", "rspamd"

    def arguments(self) -> list[str]:
        configuration = self.root / "rspamd.conf"
        configuration.write_text(_RSPAMD.format(root=self.root, port=self.port))
        (self.root / "tld").write_text("com\nnet\norg\ntest\n")
        self._give("_rspamd")
        user = ["-u", "_rspamd", "-g", "_rspamd"] if os.geteuid() == 0 else ["-i"]
        return ["-f", "-c", str(configuration), *user]


class Spamd(Daemon):
    """Debian's rules, local tests alone."""

    program, package = "spamd", "spamassassin spamd"

    def arguments(self) -> list[str]:
        self._give("nobody")
        listening = ["-i", "127.0.0.1", "-p", str(self.port), "-A", "127.0.0.1"]
        children = ["-m", "2", "--min-children=1", "--max-spare=1"]
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        return ["-L", "-x", "-s", "stderr", "-H", str(self.root), *listening, *children, *user]


class Clamd(Daemon):
    """Two signatures, by their digests: EICAR, and words that nothing else takes for a program."""

    program, package = "clamd", "clamav-daemon"

    def arguments(self) -> list[str]:
        database = self.root / "db"
        database.mkdir(exist_ok=True)
        signatures = [
            f"{hashlib.md5(known).hexdigest()}:{len(known)}:{name.removesuffix('.UNOFFICIAL')}\n"
            for known, name in ((EICAR, EICAR_NAME), (WORDS, WORDS_NAME))
        ]
        (database / "own.hdb").write_text("".join(signatures))
        configuration = self.root / "clamd.conf"
        user = f"User {pwd.getpwuid(os.geteuid()).pw_name}\n"
        configuration.write_text(_CLAMD.format(root=self.root, port=self.port) + user)
        return ["-c", str(configuration)]

    @property
    def socket(self) -> Path:
        return self.root / "clamd.sock"
