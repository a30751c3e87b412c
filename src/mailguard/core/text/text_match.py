"""Whether prescribed words stand in a text, however they were typed (R10).

Owns the comparison: dashes, quotes, case, punctuation and white space folded, and small edits
allowed. Linear in the text. Must not know whose words they are or what follows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from mailguard.core.text.folding import caseless, folded, words_only

SIMILAR = 0.9  # the share of the words that must stand close together in the text
_SHORTEST_SIMILAR = 12  # words; a shorter text is present exactly or not at all
_LONGEST = 20_000  # characters of the author's text that are compared, from its end
_TELLING = 20  # words that are looked for first


@lru_cache(maxsize=512)
def _wanted(disclaimer: str) -> tuple[str, list[str], list[str]]:
    """A disclaimer folded, its words, and the longest of them; the same few, again and again."""
    text = folded(disclaimer)
    words = text.split()
    return text, words, sorted(set(words), key=len, reverse=True)[:_TELLING]


def is_present(disclaimer: str, author_visible: str, own: Sequence[str] = ()) -> bool:
    """Whether a disclaimer stands in the author's own text (R10).

    Exactly, once folded; or with at least SIMILAR of its words within a stretch of its own length,
    and there the slots' values `own` exactly: a colleague's statement does not count.
    Linear in the text: a window of words slides over it once.
    """
    wanted, wanted_words, longest = _wanted(disclaimer)
    size = len(wanted_words)
    caseless_text = caseless(author_visible[-_LONGEST:])
    # Each word that stands nowhere lowers the share: most texts are told apart by that alone.
    allowed = int(size * (1 - SIMILAR))
    for word in longest:
        if word not in caseless_text:
            allowed -= 1
            if allowed < 0:
                return False
    have = words_only(caseless_text)
    if f" {wanted} " in f" {have} ":
        return True
    words = have.split()
    if size < _SHORTEST_SIMILAR or len(words) < size * SIMILAR:
        return False
    share, end = _best_window(wanted_words, words)
    if share < SIMILAR:
        return False
    around = " ".join(words[max(0, end - size - 5) : end + 5])
    return all(f" {folded(value)} " in f" {around} " for value in own)


def _best_window(wanted: list[str], words: list[str]) -> tuple[float, int]:
    """The greatest share of the wanted words in one window of their number, and where it ends."""
    lacking = Counter(wanted)
    size = len(wanted)
    matched = best = best_end = 0
    for at, word in enumerate(words):
        if word in lacking:
            matched += lacking[word] > 0
            lacking[word] -= 1
        if at >= size:
            left = words[at - size]
            if left in lacking:
                lacking[left] += 1
                matched -= lacking[left] > 0
        if matched > best:
            best, best_end = matched, at + 1
    return best / size, best_end
