"""docs/hacking.md, followed word for word in a copy of the tree: its example check works."""

from __future__ import annotations

import json
import re
import shutil
import sys
import types
from dataclasses import replace
from itertools import takewhile
from pathlib import Path

import pytest
from tests.support.office import DIRECTORY, PEOPLE, Office, mail
from tests.unit.guide import GUIDE, ROOT, blocks, patched, run, shown

from mailguard.core.decision.policy import Check, Policy, PolicyStep

CASE = "tests/cases/900-newsletter-shows-the-families"
HELD = "tests/cases/901-personnel-file-waits-for-human-resources"


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what a check touches, with the guide's blocks put in."""
    root = tmp_path_factory.mktemp("house")
    leave = shutil.ignore_patterns("state")
    for name in ("src", "config", "docs"):
        shutil.copytree(ROOT / name, root / name, ignore=leave)
    shutil.copytree(ROOT / "tests" / "support", root / "tests" / "support")
    (root / "tests" / "cases").mkdir()
    for path in (*ROOT.glob("tests/*.py"), *ROOT.glob("tests/cases/*.py")):
        shutil.copy(path, root / path.relative_to(ROOT))
    shutil.copy(ROOT / "pyproject.toml", root)
    for name, language, text in shown():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if language == "diff":
            text = patched(path.read_text(), text)
        elif name == "config/policy.yaml":
            text = path.read_text() + "\n" + text
        ends = "\r\n" if name.endswith(".eml") else "\n"
        path.write_bytes(text.replace("\n", ends).encode())
    return root


def judged(house: Path, message: Path, *options: str) -> dict[str, object]:
    ran = run(house, "-m", "mailguard", "check", "--json", *options, str(message))
    assert ran.returncode == 0, ran.stderr
    answer = json.loads(ran.stdout)
    assert isinstance(answer, dict)
    return answer


def test_the_guide_shows_every_file_of_a_check() -> None:
    shown = set(blocks())
    assert "src/mailguard/checks/shown_addresses.py" in shown
    assert {"src/mailguard/checks/__init__.py", "config/policy.yaml"} <= shown
    files = {"README.md", "envelope.yaml", "message.eml", "decision.yaml"}
    assert {f"{CASE}/{name}" for name in files} <= shown
    text = blocks()["src/mailguard/checks/shown_addresses.py"][1]
    assert len([line for line in text.splitlines() if line]) <= 50


def test_a_check_that_holds_for_an_office_touches_five_places() -> None:
    """A case is one place, with its four files."""
    paths = [path for path, _, _ in shown()]
    begin = paths.index("src/mailguard/checks/personnel_file.py")
    walk = takewhile(lambda path: "/casework/" not in path, paths[begin:])
    places = {HELD if path.startswith(f"{HELD}/") else path for path in walk}
    assert places == {
        "src/mailguard/checks/personnel_file.py",
        "src/mailguard/checks/__init__.py",
        "config/policy.yaml",
        HELD,
        "docs/rules.md",
    }


def test_the_product_does_not_have_the_examples() -> None:
    """Once it does, the walk needs another one."""
    for name in ("shown_addresses", "personnel_file"):
        assert not (ROOT / f"src/mailguard/checks/{name}.py").exists()


async def test_human_resources_are_asked_and_their_yes_releases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The guide's own check, through judging, keeping, the question by mail and the answer."""
    guide = types.ModuleType("personnel_file")
    monkeypatch.setitem(sys.modules, "personnel_file", guide)  # where annotations are looked up
    exec(blocks()["src/mailguard/checks/personnel_file.py"][1], guide.__dict__)
    check: Check = guide.PersonnelFile()
    chosen = {kind.code: kind.default for kind in check.findings}
    policy = Policy((PolicyStep(check, check.Settings(), chosen),), "the guide's")
    people = {**PEOPLE, "gloria": replace(PEOPLE["gloria"], roles=("human_resources",))}
    office = Office(tmp_path, directory=replace(DIRECTORY, people=people))
    try:
        rosa, tara, gloria = "rosa@example.com", "tara@example.org", "gloria@example.org"
        raw = mail(tara, f"{rosa}, ben@example.org", "[Personnel] My evaluation")
        reply = await office.accept(raw, [rosa, "ben@example.org"], policy)
        assert reply.code == 250
        sent = await office.round()
        questions = [m for m in sent if m.kind == "question"]
        assert [m.to for m in questions] == [(gloria,)]
        assert "The Subject begins with [PERSONNEL]. Rule: R47." in questions[0].text
        assert [m.to for m in office.relayed] == [("ben@example.org",)]
        await office.reply(questions[0], "Yes", sender="paula@example.org")  # not hers to say
        await office.round()
        assert [m.to for m in office.relayed] == [("ben@example.org",)]
        await office.reply(questions[0], "Yes")
        await office.round()
        assert [m.to for m in office.relayed] == [("ben@example.org",), (rosa,)]
    finally:
        office.close()


def test_the_register_keeps_to_the_findings_with_the_walk_in_it(house: Path) -> None:
    row = next(r for r in (house / "docs/rules.md").read_text().splitlines() if "| R47 |" in r)
    assert "`personnel-file.leaves`" in row


@pytest.mark.parametrize("options", [(), ("--listener=mx", "--auth-user=")])
def test_check_finds_it_and_only_in_mail_from_inside(house: Path, options: tuple[str]) -> None:
    answer = judged(
        house,
        house / CASE / "message.eml",
        "--listener=submission",
        "--auth-user=tolive",
        "--mail-from=tara.olive@example.org",
        "--rcpt=rosa.alder@example.com",
        *options,
    )
    found = [f for f in answer["findings"] if f["check"] == "shown_addresses"]
    if options:
        assert found == []
        return
    assert [f["code"] for f in found] == ["shown-addresses.many"]
    assert found[0]["evidence"] == "To and Cc show 4 outside addresses; 3 may be shown"
    assert answer["recipients"]["rosa.alder@example.com"] == {
        "disposition": "bounce",
        "reason": "shown-addresses.many",
        "rules": ["R47"],
    }
    assert "Put the addresses into Bcc" in answer["reply"]


def test_the_case_passes_and_can_fail(house: Path) -> None:
    """`make cases`, then the suite's own tests of cases; with another decision they fail."""
    wrote = run(house, "-m", "tests.cases.rewrite")
    assert wrote.returncode == 0, wrote.stderr
    assert "2 cases written" in wrote.stdout
    assert "Bcc" in (house / CASE / "reply.txt").read_text()
    plain = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest")
    suite = ("-m", "pytest", "-q", *plain, "tests/cases/test_cases.py", "-k", "900 or 901")
    passed = run(house, *suite)
    assert passed.returncode == 0, passed.stdout
    assert "4 passed" in passed.stdout

    decision = house / CASE / "decision.yaml"
    written = decision.read_text()
    try:
        decision.write_text(written.replace("bounce", "forward"))
        assert run(house, *suite).returncode == 1
    finally:
        decision.write_text(written)


def test_the_references_are_generated(house: Path) -> None:
    ran = run(house, "-m", "mailguard.reference", "reference")
    assert ran.returncode == 0, ran.stderr
    assert "`shown-addresses.many`" in (house / "reference/findings.md").read_text()
    assert "### settings of shown_addresses" in (house / "reference/settings.md").read_text()
    assert "shown-addresses.many" in (house / "reference/policy.schema.json").read_text()


def test_the_file_is_as_clean_as_the_house(house: Path) -> None:
    new = [f"src/mailguard/checks/{n}.py" for n in ("shown_addresses", "personnel_file")]
    for command in (("ruff", "check"), ("ruff", "format", "--check")):
        ran = run(house, "-m", *command, *new, "src/mailguard/checks/__init__.py")
        assert ran.returncode == 0, ran.stdout


def test_the_targets_the_guide_names_exist() -> None:
    makefile = (ROOT / "Makefile").read_text()
    named = set(re.findall(r"(?:`|^ {4})make ([a-z]+)", GUIDE, re.MULTILINE))
    assert named
    assert {name for name in named if not re.search(rf"^{name}:", makefile, re.MULTILINE)} == set()


def test_the_places_the_guide_names_exist() -> None:
    tree = re.search(r"^src/mailguard/\n(.*?)^```", GUIDE, re.MULTILINE | re.DOTALL)
    assert tree is not None
    names = re.findall(r"^  (\S+)", tree[1], re.MULTILINE)
    assert {n for n in names if not (ROOT / "src/mailguard" / n).exists()} == set()
    there = {
        p.name + "/" * p.is_dir()
        for p in (ROOT / "src/mailguard").iterdir()
        if not p.name.startswith("_") and p.suffix in ("", ".py")
    }
    assert there <= set(names), there - set(names)


def test_every_kind_of_test_is_explained() -> None:
    kinds = {p.relative_to(ROOT / "tests").parts[0] for p in ROOT.glob("tests/*/**/test_*.py")}
    assert {kind for kind in kinds if f"| `tests/{kind}/` |" not in GUIDE} == set()
