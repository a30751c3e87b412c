"""What README.md says is so: its commands run, its policy loads, its links and targets exist."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^    \.venv/bin/mailguard (.*?)(?:\s+#.*)?$", README, re.MULTILINE)
SERVER = "serve"  # started in tests/e2e
DOCUMENTS = (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(ROOT.glob("docs/**/*.md")))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A clone as far as the commands look at it."""
    shutil.copytree(ROOT / "config", tmp_path / "config")
    samples = "src/mailguard/demo/samples"
    shutil.copytree(ROOT / samples, tmp_path / samples)
    (tmp_path / "parents.csv").write_text("name,address\nRosa Alder,rosa.alder@example.net\n")
    return tmp_path


def mailguard(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mailguard", *arguments],
        cwd=place,
        env={**os.environ, "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )


def test_the_commands_are_found() -> None:
    assert len(COMMANDS) >= 7
    assert any(command.startswith(SERVER) for command in COMMANDS)


@pytest.mark.parametrize("command", [c for c in COMMANDS if not c.startswith(SERVER)])
def test_a_command_runs(command: str, place: Path) -> None:
    ran = mailguard(place, *shlex.split(command))
    assert "Traceback" not in ran.stderr
    if command.startswith("explain"):  # the id is an example's
        assert ran.returncode == 1
        assert "01KAW" in ran.stderr
        return
    assert ran.returncode == 0, ran.stderr
    if command.startswith("check"):
        assert "Verdict: quarantine" in ran.stdout
        assert "blocked as a possible Spam email" in ran.stdout


def test_the_policy_loads(place: Path) -> None:
    block = re.search(r"^```yaml\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    assert block is not None
    (place / "config" / "policy.yaml").write_text(block[1])
    ran = mailguard(place, "config", "show", "--json")
    assert ran.returncode == 0, ran.stderr
    assert '"mode": "observe"' in ran.stdout


def test_the_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    for target in re.findall(r"(?:`|^ {4})make ([a-z]+)", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda d: str(d.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if target.startswith(("http:", "https:")):
            continue
        path, _, anchor = target.partition("#")
        found = document.parent / path if path else document
        assert found.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            slugs = {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}
            assert anchor in slugs, target


@pytest.mark.parametrize("name", ["flow.md", "design.md", "hacking.md", "threat-model.md"])
def test_files_that_a_document_names_exist(name: str) -> None:
    text = (ROOT / "docs" / name).read_text(encoding="utf-8")
    cases = ("tests/cases/900-", "tests/cases/901-")
    checks = tuple(f"src/mailguard/checks/{n}.py" for n in ("shown_addresses", "personnel_file"))
    page = ("src/mailguard/frontends/web/contacts_", "tests/unit/frontends/web/test_contacts_")
    made = (*cases, *checks, *page, "src/mailguard/casework/hall/")  # by hacking.md
    for path in set(re.findall(r"`((?:[\w.-]+/)+[\w.-]+\.(?:py|md|yaml|toml))`", text)):
        if path.startswith(made):
            continue
        assert any((base / path).exists() for base in (ROOT, ROOT / "src" / "mailguard")), path


def test_the_types_that_the_design_names_exist() -> None:
    text = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([A-Z]\w+)` \|", text, re.MULTILINE)
    source = "\n".join(
        path.read_text() for floor in ("core", "pipeline") for path in _modules(floor)
    )
    assert len(named) > 10
    missing = [n for n in named if not re.search(rf"^(class {n}\b|{n} = )", source, re.MULTILINE)]
    assert missing == []


def _modules(floor: str) -> list[Path]:
    return sorted((ROOT / "src" / "mailguard" / floor).rglob("*.py"))


def test_the_picture_is_whole_and_told_in_words() -> None:
    root = ElementTree.parse(ROOT / "docs" / "flow.svg").getroot()
    space = "{http://www.w3.org/2000/svg}"
    texts = " ".join("".join(t.itertext()) for t in root.iter(f"{space}text"))
    stages = ("Session", "Archive", "Gather", "Decide", "Plan", "Keep", "Relay", "Record")
    assert [s for s in stages if s not in texts] == []
    assert root.find(f"{space}title") is not None
    assert root.find(f"{space}desc") is not None
    for document in (README, (ROOT / "docs" / "flow.md").read_text(encoding="utf-8")):
        assert "flow.svg" in document
