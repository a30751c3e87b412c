"""A directory of 100,000 people and 10,000 groups: loading, then what messages ask of it.

Makes the files in a temporary folder. CPU is the process's own; look-ups are the median of many.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

from mailguard.config.directory.people import load_directory
from mailguard.core.decision.facts import Facts
from mailguard.core.mail import mime
from mailguard.core.mail.transaction import Envelope, Listener, Role, Transaction
from mailguard.core.people.directory import Directory
from mailguard.core.people.district import District
from mailguard.core.sender import directory_lookups
from mailguard.core.sender.audience import Reach
from mailguard.core.text import reader
from mailguard.core.text.reading import Reading
from mailguard.pipeline.send_window import Mailings

DISTRICT = District("Example", "EX", ("example.org",), "s@example.org", "p@example.org", "mx")
TODAY = date(2026, 11, 25)
WORK = ("teacher", "custodian", "secretary", "nurse", "counselor")
LOADED = 5.0  # seconds of CPU that loading may take
WINDOW = 3_600.0  # seconds that a check looks back


def write(folder: Path, people: int, groups: int) -> None:
    """A district: 200 sites; a quarter of the groups each computed, listed, nested, all of a
    site."""
    chance = random.Random(1)
    sites = [f"s{n}" for n in range(200)]
    place = folder / "directory"
    place.mkdir()
    (place / "sites.yaml").write_text("".join(f"{s}: {{name: School {s}}}\n" for s in sites))
    rows = ["id,name,addresses,title,phone,sites,classifications,manager,end"]
    for n in range(people):
        left = "2026-06-30" if n % 50 == 49 else ""
        at, does = chance.choice(sites), chance.choice(WORK)
        who = f"p{n},First{n} Last{n},p{n}@example.org,Teacher,555-0100"
        rows.append(f"{who},{at},{does},{'p0' if n else ''},{left}")
    (place / "people.csv").write_text("\n".join(rows) + "\n")
    logins = "".join(f"u{n},,p{n}\n" for n in range(people))
    (place / "accounts.csv").write_text(f"login,addresses,owner\n{logins}")
    lines = ["all@example.org: {name: All, audience: district}"]
    for n in range(groups - 1):
        kind, at = n % 4, chance.choice(sites)
        listed = ", ".join(f"p{chance.randrange(people)}" for _ in range(30))
        inside = f"g{n - 1}@example.org, g{n - 2}@example.org"
        means = (
            f"sites: [{at}], classifications: [{chance.choice(WORK)}]",
            f"members: [{listed}]",
            f"members: [{inside}]",
            f"audience: site, sites: [{at}]",
        )[kind]
        lines.append(f"g{n}@example.org: {{name: G{n}, {means}}}")
    (place / "groups.yaml").write_text("\n".join(lines) + "\n")


def micros(call: Callable[[int], object], runs: int = 300) -> float:
    """The median of many calls with different numbers, in microseconds."""
    times = []
    for n in range(runs):
        began = time.perf_counter()
        call(n)
        times.append(time.perf_counter() - began)
    return statistics.median(times) * 1e6


def message(n: int, recipients: tuple[str, ...]) -> tuple[Transaction, Reading]:
    raw = f"From: p{n}@example.org\r\nSubject: x{n}\r\n\r\nHello {n}\r\n".encode()
    parsed = mime.parse(raw)
    envelope = Envelope(f"p{n}@example.org", recipients, account=f"u{n}")
    role = Role.SUBMISSION
    transaction = Transaction(f"{n:026}", 0.0, Listener("l", role), envelope, parsed)
    return transaction, reader.read(parsed)


def facts_of(
    transaction: Transaction, reading: Reading, directory: Directory, mailings: Mailings
) -> Facts:
    """Every fact that the directory and the sender's window give, as `gather` makes them."""
    known = directory_lookups.look_up(transaction, directory, DISTRICT, TODAY)
    facts = Facts(
        now=0.0,
        district=DISTRICT,
        today=TODAY,
        reading=reading,
        **{name: getattr(known, name) for name in known.__slots__},
    )
    reach = Reach.of(transaction, facts, directory)
    prints, units = reach.prints, reach.units
    mailings.count(reach.sender, transaction.id, hash(prints), prints, units, 0.0)
    recent = mailings.recent(reach.sender, 0.0, WINDOW)
    return replace(
        facts,
        audiences=reach.audiences(),
        units=reach.bargaining_units(),
        listed=reach.listed(recent, WINDOW),
        mailing=reach.mailing(recent, WINDOW),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--groups", type=int, default=10_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        write(Path(made), given.people, given.groups)
        began = time.process_time()
        directory = load_directory(Path(made), DISTRICT)
        loading = time.process_time() - began
    print(f"{given.people:,} people and logins, {given.groups:,} groups")
    print(f"load                        {loading:8.2f} s CPU (bar {LOADED:g})")
    membership, count = directory.membership, given.people
    began = time.perf_counter()
    membership.mask("all@example.org")
    membership.present(TODAY)
    print(f"all employees, first time   {(time.perf_counter() - began) * 1e3:8.1f} ms")

    def reached(n: int, to: tuple[str, ...]) -> object:
        return facts_of(*message(n, to), directory, Mailings())

    to_one = (f"p{count // 2}@example.org",)
    to_many = tuple(f"p{n}@example.org" for n in range(1, 101))
    for label, call in (
        ("person by address", lambda n: directory.person_at(f"p{n * 331 % count}@example.org")),
        ("groups of a person", lambda n: membership.groups_of(f"p{n * 331 % count}")),
        ("size of all employees", lambda n: membership.mask("all@example.org").bit_count()),
        ("a group, first time", lambda n: membership.mask(f"g{n * 17 % given.groups}@example.org")),
        ("facts, one recipient", lambda n: reached(n, to_one)),
        ("facts, all employees", lambda n: reached(n, ("all@example.org",))),
        ("facts, 100 recipients", lambda n: reached(n, to_many)),
    ):
        print(f"{label:28}{micros(call):8.1f} µs")
    if loading > LOADED:
        raise SystemExit(f"loading took {loading:.2f} s")


if __name__ == "__main__":
    main()
