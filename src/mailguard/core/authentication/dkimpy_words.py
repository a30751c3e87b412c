"""dkimpy's words on a signature or a key record.

Owns the words alone: it imports nothing, since the child process that speaks them stays small.
"""

from __future__ import annotations

from typing import Final

PASS, FAIL = "pass", "fail"
AHEAD: Final = "ahead"  # signed more than ten hours ahead: what dkimpy makes of its own clock
UNREAD: Final = "unread"  # dkimpy could not read the message, or crashed: no opinion
