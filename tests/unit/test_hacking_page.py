"""docs/hacking.md's page, put into a copy of the tree word for word, and then fetched."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from tests.unit.guide import ROOT, blocks, patched, run

WEB = "src/mailguard/frontends/web"
LINE = f"{WEB}/application.py"
TEST = "tests/unit/frontends/web/test_contacts_page.py"
ADDED = (f"{WEB}/contacts_page.py", f"{WEB}/templates/contacts.html", TEST)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the source with the guide's blocks of a page put in."""
    root = tmp_path_factory.mktemp("page")
    shutil.copytree(ROOT / "src", root / "src")
    shutil.copytree(ROOT / "tests" / "support", root / "tests" / "support")
    for path in (*ROOT.glob("tests/*.py"), *ROOT.glob("tests/unit/frontends/web/*.py")):
        (root / path.relative_to(ROOT)).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, root / path.relative_to(ROOT))
    shutil.copy(ROOT / "pyproject.toml", root)
    for name in ADDED:
        (root / name).write_text(blocks()[name][1])
    (root / LINE).write_text(patched((ROOT / LINE).read_text(), blocks()[LINE][1]))
    return root


def test_a_page_is_four_files_and_one_of_them_has_a_line_more() -> None:
    added = [line for line in blocks()[LINE][1].splitlines() if line.startswith("+")]
    assert [line for line in added if not line.startswith("+from ")] == [
        "+            *contacts_routes(snapshot),"
    ]
    assert {path for path in blocks() if "frontends/web" in path} == {LINE, *ADDED}
    assert not any((ROOT / path).exists() for path in ADDED), "the walk needs another example"


def test_it_is_shown_and_keeps_the_rules_of_all_pages(tree: Path) -> None:
    plain = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:xdist")
    ran = run(tree, "-m", "pytest", "-q", *plain, TEST, "tests/unit/frontends/web/test_pages.py")
    assert ran.returncode == 0, ran.stdout


def test_it_is_as_clean_as_the_rest(tree: Path) -> None:
    python = [path for path in (LINE, *ADDED) if path.endswith(".py")]
    for command in (("ruff", "check"), ("ruff", "format", "--check")):
        ran = run(tree, "-m", *command, *python)
        assert ran.returncode == 0, ran.stdout
    ran = run(tree, "-m", "mypy", "--no-incremental", LINE, ADDED[0])
    assert ran.returncode == 0, ran.stdout
