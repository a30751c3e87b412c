"""What the demo prints: the table of outcomes, what arrived, and where to look.

Owns words and layout, for terminals of 80 columns and more. Must not know how anything was found.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from mailguard.core.mail.safe_text import terminal
from mailguard.demo.district import HOST, PASSWORD, DemoDistrict
from mailguard.demo.results import ResultRow
from mailguard.demo.runner import DemoOutcome
from mailguard.demo.samples import SAMPLES, path
from mailguard.terminal import style_of

_WIDE = 120  # columns from which addresses and codes are never broken
_LONG = 18  # octets from which they are broken elsewhere


def table(outcome: DemoOutcome) -> None:
    """Every recipient of every message, from the ledger; "Shows" alone is the sample's own word.
    A column more only where one differs."""
    console = Console()
    wide = console.width >= _WIDE
    grid = Table(box=box.SIMPLE_HEAD, header_style="bold", padding=(0, 1, 0, 0), pad_edge=False)
    grid.add_column("Shows")
    grid.add_column("Message", min_width=20, max_width=None if wide else 24)
    grid.add_column("Recipient", overflow="fold")
    grid.add_column("Disposition", no_wrap=True)
    grid.add_column("Reason", overflow="fold")
    grid.add_column("Rules", overflow="fold")
    differs = any(row.disposition != row.sample.expected.get(row.recipient) for row in outcome.rows)
    if differs:
        grid.add_column("As expected")
    before = None
    for row in outcome.rows:
        first = row.sample is not before
        cells = [
            Text(row.sample.rule if first else "", style="dim"),
            Text(row.sample.title if first else ""),
            Text(terminal(row.recipient) if wide else _broken(row.recipient, "@")),
            Text(row.disposition, style=style_of(row.disposition)),
            Text(terminal(row.reason) if wide else _broken(row.reason, "."))
            if row.reason
            else _NONE,
            Text(", ".join(row.rules)),
        ]
        if differs:
            expected = row.sample.expected.get(row.recipient, "nothing")
            right = row.disposition == expected
            cells.append(Text("yes") if right else Text(f"no: {expected}", style="bold red"))
        grid.add_row(*cells)
        before = row.sample
    console.print(grid)


_NONE = Text("nothing against it", style="dim")


def _broken(text: str, mark: str) -> str:
    """A long address or code in two lines, where it would be cut anywhere otherwise."""
    first, found, rest = text.partition(mark)
    return (
        f"{terminal(first)}\n{found}{terminal(rest)}"
        if found and len(text) > _LONG
        else terminal(text)
    )


def arrivals(district: DemoDistrict, outcome: DemoOutcome) -> None:
    """How many messages each mailbox of the next hop has."""
    _head(f"What arrived at the next hop ({district.maildirs})")
    width = max((len(name) for name in outcome.maildirs), default=0)
    for name, (number, own) in outcome.maildirs.items():
        by_us = f"  {own} of them by mailguard: notices and copies of kept mail" if own else ""
        _line(f"  {name.ljust(width)}  {number}{by_us}")
    same = sum(row.reproduced for row in outcome.rows)
    _line(
        f"\n{len(SAMPLES)} messages, {len(outcome.rows)} recipients, {outcome.seconds:.1f} s. "
        f"Decided again from the records: {same} of {len(outcome.rows)} the same."
    )


def places(district: DemoDistrict, outcome: DemoOutcome, *, stays: bool) -> None:
    """Pages, commands and files. `stays`: they can be looked at now."""
    url = district.loaded.settings.http.public_url
    _head("Where to look" if stays else "Where to look (while it runs: the demo without --once)")
    kept = _first(outcome.rows, "quarantine")
    refused = _first(outcome.rows, "bounce")
    for name, place in (
        ("metrics", f"{url}/metrics"),
        ("health", f"{url}/healthz   {url}/readyz"),
        ("a copied link", outcome.link),
        ("ledger", command(district, "ledger")),
        ("quarantine", command(district, "quarantine", "list")),
        ("approvals", command(district, "approvals", "list")),
        ("release one", command(district, "quarantine", "release", kept)),
        ("explain", command(district, "explain", refused)),
        ("archive", command(district, "archive", "get", kept)),
        ("mailboxes", str(district.maildirs)),
        ("log", str(district.log)),
        ("policy", str(district.config / "policy.yaml")),
    ):
        _line(f"  {name.ljust(14)} {place}")


def _first(rows: Iterable[ResultRow], disposition: str) -> str:
    return next((row.id for row in rows if row.disposition == disposition), "ID")


def examples(district: DemoDistrict, accounts: Iterable[str]) -> None:
    """What to send oneself, by swaks, and how to end."""
    _head("Send more, with swaks (apt-get install swaks)")
    _line(f"  logins: {', '.join(accounts)}; the password of each: {PASSWORD}")
    for file in ("parent-with-links.eml", "unlisted-sender.eml", "teacher-to-all-staff.eml"):
        sample = next(s for s in SAMPLES if s.file == file)
        words = ["swaks", "--server", f"{HOST}:{district.listeners[sample.listener]}"]
        words += ["--from", sample.reverse_path, "--to", ",".join(sample.recipients)]
        if sample.account:
            words += ["--auth", "PLAIN", "--auth-user", sample.account]
            words += ["--auth-password", PASSWORD]
        words += ["--data", f"@{path(sample)}"]
        _line(f"  {shlex.join(words)}")
    _line(f"\nEdit {district.config}/policy.yaml and send again: saving reloads it.")
    _line("Ctrl-C ends the demo.")


def command(district: DemoDistrict, *words: str) -> str:
    """A mailguard command on this demo's configuration, as it can be pasted."""
    program = Path(sys.argv[0])
    if program.name != "mailguard":
        started = [sys.executable, "-m", "mailguard"]
    else:
        near = os.path.relpath(program)
        started = [near if not near.startswith("..") else str(program)]
    return shlex.join([*started, *words, "--config", str(district.config)])


def _head(text: str) -> None:
    Console().print(Text(f"\n{text}", style="bold"), soft_wrap=True)


def _line(text: str) -> None:
    """One line as it is, however long: it is meant to be copied."""
    Console().print(Text(text), soft_wrap=True)
