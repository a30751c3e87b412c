"""`mailguard approvals` on the example district: what it says, and what it refuses."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mailguard.cli.root import application

ROOT = Path(__file__).parents[3]
SOON = (datetime.now(UTC) + timedelta(30)).date().isoformat()
GRANT = ("grant", "--sender=tolive", "--group=teachers-maple@example.org", f"--until={SOON}")
GRANT = (*GRANT, "--reference=Memo 12", "--by=ppine", "--count=3")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    return tmp_path / "config"


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(application, ["approvals", *words, f"--config={config}"])


def test_a_grant_is_entered_listed_and_revoked(config: Path) -> None:
    entered = run(config, *GRANT)
    assert entered.exit_code == 0, entered.output
    assert entered.stdout == f"grant 1: until {SOON}, 3 message(s)\n"
    (listed,) = json.loads(run(config, "grants", "--json").stdout)
    wanted = {"sender": "tolive", "group": "teachers-maple@example.org", "giver": "ppine"}
    assert wanted.items() <= listed.items()
    assert (listed["left"], listed["state"], listed["reference"]) == (3, "open", "Memo 12")
    assert "3 of 3" in run(config, "grants").stdout
    assert run(config, "revoke", "1", "--by=wbirch").exit_code == 0
    assert json.loads(run(config, "grants", "--json").stdout) == []
    assert json.loads(run(config, "grants", "--all", "--json").stdout)[0]["state"] == "revoked"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", "7"), "there is no approval 7; see: mailguard approvals list --all"),
        (("approve", "7"), "there is no approval 7"),
        (("deny", "7"), "there is no approval 7"),
        (("record", "7", "--by=ppine", "--reference=x"), "there is no approval 7"),
        (("record", "7", "--by=nobody", "--reference=x"), "nobody is nobody's id or address"),
        (("stop", "7"), "there is no approval 7"),
        (("stop", "01ARZ3NDEKTSV4RRFFQ69G5FAV"), "there is no approval and no message 01ARZ3"),
        (("revoke", "7"), "there is no grant 7; see: mailguard approvals grants --all"),
        ((*GRANT, "--by=tolive"), "nobody approves their own messages"),
        ((*GRANT, "--by=tara.olive@example.org"), "nobody approves their own messages"),
        ((*GRANT, "--group=nobody@example.org"), "is no group of the directory"),
        ((*GRANT, "--sender=nobody"), "nobody is neither a person's id nor an address"),
        ((*GRANT, "--until=2020-01-01"), "would never count"),
        ((*GRANT, "--until=soon"), "soon is no day; write it as in 2026-11-30"),
    ],
)
def test_what_cannot_be_done_is_told_with_what_to_do(
    config: Path, words: tuple[str, ...], said: str
) -> None:
    done = run(config, *words)
    assert done.exit_code == 1
    assert said in done.output
    assert json.loads(run(config, "list", "--all", "--json").stdout) == []
    assert json.loads(run(config, "grants", "--all", "--json").stdout) == []
