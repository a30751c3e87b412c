"""`mailguard`, killed by SIGKILL between two stages of a message: CRASH_AFTER names the stage.

The stages are those that `pipeline.accept` times. Nothing in mailguard knows of this.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from mailguard.cli import main
from mailguard.pipeline import message_metrics

_when, _, _stage = os.environ.get("CRASH", "").partition(":")
_timed = message_metrics.stage


@contextmanager
def crashing(name: str) -> Iterator[None]:
    if name == _stage and _when == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    with _timed(name):
        yield
    if name == _stage and _when == "after":
        os.kill(os.getpid(), signal.SIGKILL)


message_metrics.stage = crashing
if __name__ == "__main__":  # the reading workers import this file too
    main()
