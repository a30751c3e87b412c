"""A small configuration that loads, with one check of its own, for tests to break."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
from pydantic import Field

from mailguard.config.form.errors import ConfigErrors
from mailguard.config.load import Loaded, load
from mailguard.core.decision.facts import Facts
from mailguard.core.decision.policy import CheckSettings, FindingType
from mailguard.core.decision.verdict import Disposition, Verdict
from mailguard.core.mail.transaction import Transaction


class ColourSettings(CheckSettings):
    """What is allowed."""

    allowed: tuple[str, ...] = Field(("green",), description="Colours that pass.")
    strict: bool = Field(False, description="Whether shades count.")
    limit: int = Field(3, ge=1, le=9, description="How many.")


class Colour:
    """A message's colour."""

    name: ClassVar[str] = "colour"
    Settings: ClassVar[type[CheckSettings]] = ColourSettings
    needs: ClassVar[frozenset[str]] = frozenset()
    findings: ClassVar[tuple[FindingType, ...]] = (
        FindingType("colour.red", "is red", ("R1",), Disposition.BOUNCE),
        FindingType("colour.pale", "is pale", ("R2",), Disposition.FORWARD),
    )

    def examine(self, transaction: Transaction, facts: Facts, settings: Any) -> Verdict:
        return Verdict(self.name)


class Shape(Colour):
    """A message's shape."""

    name: ClassVar[str] = "shape"
    findings: ClassVar[tuple[FindingType, ...]] = (
        FindingType("shape.round", "is round", ("R3",), Disposition.HOLD),
    )


FILES = {
    "mailguard.yaml": """\
hostname: mail.example.org
district:
  name: Example Valley Unified School District
  short_name: EVUSD
  domains: [example.org]
  spammail: spammail@example.org
  postmaster: postmaster@example.org
listeners:
  - name: mx
    role: mx
    address: 127.0.0.1:2525
next_hop:
  address: 127.0.0.1:2600
storage:
  state: state
""",
    "policy.yaml": """\
steps:
  - check: colour
  - check: shape
""",
    "directory/sites.yaml": "oak:\n  name: Oak School\n  administrators: [ppine]\n",
    "directory/people.csv": (
        "id,name,addresses,sites,roles\n"
        "ppine,Paula Pine,paula.pine@example.org,oak,principal\n"
        "tolive,Tara Olive,tara.olive@example.org;tara@example.com,oak,\n"
    ),
    "directory/groups.yaml": (
        "all-oak@example.org:\n  name: All Oak\n  audience: site\n  sites: [oak]\n"
        "chess@example.org:\n  name: Chess\n  members: [tolive]\n"
    ),
    "directory/accounts.csv": "login,addresses,owner\nTOlive,,tolive\n",
    "allowlist.d/parents.txt": "# parents\nrosa@example.com site=oak expires=2027-06-30\n",
}
CHECKS = (Colour(), Shape())


class Tree:
    """A configuration directory that a test changes and loads."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name, text in FILES.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def replace(self, name: str, old: str, new: str) -> None:
        text = (self.root / name).read_text(encoding="utf-8")
        assert old in text
        self.write(name, text.replace(old, new))

    def load(self, **options: Any) -> Loaded:
        return load(self.root, checks=CHECKS, **options)

    def errors(self) -> list[str]:
        """Every error, with file names below the directory."""
        with pytest.raises(ConfigErrors) as refused:
            self.load()
        return [str(error).replace(f"{self.root}/", "") for error in refused.value.errors]

    def error(self) -> str:
        (only,) = self.errors()
        return only


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path / "config")


@pytest.fixture
def people(tree: Tree) -> Callable[[str], None]:
    """Writes people.csv from rows under a header with every column."""

    def write(rows: str) -> None:
        header = "id,name,addresses,sites,classifications,roles,supports,protected\n"
        tree.write("directory/people.csv", header + rows)

    return write
