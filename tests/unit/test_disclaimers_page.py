"""docs/disclaimers.md: what an administrator copies from it loads, and does what the page says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from mailguard.checks.disclaimer.check import HEADER, Disclaimer, DisclaimerSettings
from mailguard.checks.disclaimer.slots import SLOTS
from mailguard.config.load import load
from mailguard.core.decision.verdict import Disposition
from mailguard.core.text.text_match import SIMILAR

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "disclaimers.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)


def loaded(example: str, folder: Path) -> DisclaimerSettings:
    config = folder / "config"
    shutil.copytree(ROOT / "config", config)
    (config / "policy.yaml").write_text(example, encoding="utf-8")
    (step,) = load(config).snapshot.policy.steps
    assert isinstance(step.settings, DisclaimerSettings)
    if "disclaimer.not-placed: hold" in example:
        assert step.on_finding["disclaimer.not-placed"] is Disposition.HOLD
    return step.settings


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_loads(number: int, tmp_path: Path) -> None:
    loaded(EXAMPLES[number], tmp_path)


def test_the_examples_say_what_the_page_says(tmp_path: Path) -> None:
    profiles = loaded(EXAMPLES[0], tmp_path / "1").profiles
    assert [p.name for p in profiles] == ["cedar", "own-views", "confidentiality"]
    assert profiles[0].fallback == profiles[2].name
    (sensitive,) = loaded(EXAMPLES[1], tmp_path / "2").profiles
    assert sensitive.sensitivity.keywords
    assert sensitive.mode == "require"
    assert loaded(EXAMPLES[3], tmp_path / "3").signature.mode == "append"


def test_the_page_names_what_there_is() -> None:
    assert set(re.findall(r"`\{(\w+)\}`", PAGE)) == SLOTS
    codes = set(re.findall(r"`(disclaimer\.[a-z-]+)`", PAGE))
    assert codes <= {kind.code for kind in Disclaimer.findings}
    assert f"at least {SIMILAR:.0%} of its words".replace("%", " %") in PAGE
    assert f"`{HEADER}: not-placed" in PAGE
