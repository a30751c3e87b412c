"""Real servers and clients from Debian's packages, without which a test cannot run."""

from __future__ import annotations

import os
import shutil

import pytest

_DIRECTORIES = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))


def require(program: str, package: str) -> str:
    """The path of a program. Where it is missing the test is skipped with the command that
    installs it, or failed when MAILGUARD_REQUIRE_PEERS=1."""
    path = shutil.which(program, path=_DIRECTORIES)
    if path is not None:
        return path
    message = f"{program} is missing; install with: apt-get install {package}"
    if os.environ.get("MAILGUARD_REQUIRE_PEERS") == "1":
        pytest.fail(message)
    pytest.skip(message)
