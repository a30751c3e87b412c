"""docs/hacking.md as what it shows: files to be put into a copy of the tree, and run there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "hacking.md").read_text(encoding="utf-8")


def blocks() -> dict[str, tuple[str, str]]:
    """Every file the guide shows: its path → (the block's language, its text)."""
    found = re.findall(r"^`([^`\n]+)`\n\n```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    return {path: (language, text) for path, language, text in found}


def patched(text: str, diff: str) -> str:
    """Put the `+` lines behind the context lines they follow."""
    lines = text.splitlines()
    at = 0
    for line in diff.splitlines():
        if line.startswith("+"):
            lines.insert(at, line[1:])
            at += 1
        else:
            at = lines.index(line[1:], at) + 1  # ValueError: the guide is out of date
    return "\n".join(lines) + "\n"


def run(house: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(house / "src"), "PYTHONDONTWRITEBYTECODE": ""}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=house,
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
