"""The walks of docs/hacking.md as files, and a copy of the tree to follow them in."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.waiting import PATIENCE

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "hacking.md").read_text(encoding="utf-8")


def shown() -> list[tuple[str, str, str]]:
    """Every block the guide shows, in its order: the file's path, the language, the text."""
    return re.findall(r"^`([^`\n]+)`\n\n```(\w+)\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def blocks() -> dict[str, tuple[str, str]]:
    """Every file the guide shows: its path → (the block's language, its text)."""
    return {path: (language, text) for path, language, text in shown()}


def patched(text: str, diff: str) -> str:
    """Put the `+` lines behind the context lines they follow, and take out the `-` lines."""
    lines = text.splitlines()
    at = 0
    for line in diff.splitlines():
        if line.startswith("+"):
            lines.insert(at, line[1:])
            at += 1
        elif line.startswith("-"):
            at = lines.index(line[1:], at)
            del lines[at]
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
        timeout=5 * PATIENCE,  # a whole run of another tool
    )
