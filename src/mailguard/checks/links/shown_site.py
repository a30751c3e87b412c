"""Which site an address opens, and which one a link's text names (R39).

Must not know links' places, or what is done where the two differ.
"""

from __future__ import annotations

import re

from linkify_it.tlds import TLDS

from mailguard.core.links import sealed
from mailguard.core.links.public_suffix import same_owner
from mailguard.core.links.url_host import site_of

_SITE = re.compile(r"(?:https?://)?((?:[\w-]{1,63}\.){1,10}[\w-]{2,63})(?::\d+)?(?:[/?#]\S*)?")
_TLDS = frozenset(name.lower() for name in TLDS)
# Top-level domains too, but in a text they end the names of files.
_FILES = frozenset(("zip", "mov", "md", "sh", "py", "rs", "pl", "ps", "app", "cab"))
_PLAIN_HOST = re.compile(r"(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*")  # which reads one way alone


def opened(target: str) -> str:
    """The host that a browser goes to; most are plain and need no closer look."""
    name = sealed.host(target)
    return name if _PLAIN_HOST.fullmatch(name) else site_of(target).opened


def named_site(shown: str) -> str:
    """The host that a link's text names, where the text is nothing but an address; else ""."""
    words = shown.strip().rstrip(".,;:!?)").lower()
    if len(words) > 2_000 or len(words.split(None, 1)) != 1:
        return ""
    found = _SITE.fullmatch(words)
    if found is None:
        return ""
    name = found[1]
    last = name.rpartition(".")[2]
    explicit = words.startswith(("http://", "https://", "www."))
    known = last in _TLDS or last.startswith("xn--")
    return name if explicit or (known and last not in _FILES) else ""


def same_site(one: str, other: str) -> bool:
    """Whether two hosts belong together: they are one, or below one registrable domain."""
    first, second = (site_of(f"https://{name}").opened for name in (one, other))
    return first == second or same_owner(first, second)
