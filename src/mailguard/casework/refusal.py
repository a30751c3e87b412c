"""What the district's people ask for by a command and cannot have.

Owns the one exception that says so. Must not know who asks, or by which command.
"""

from __future__ import annotations


class CommandRefused(Exception):
    """It cannot be done, in words for the operator; nothing was changed."""
