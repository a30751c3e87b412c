"""Names as people see them: skeletons under which lookalikes are equal (R1).

Must not know who is protected.
"""

from __future__ import annotations

import re
import unicodedata

# What the eye takes for a Latin letter, beyond what NFKD folds. Lower case only.
_LOOKALIKES = str.maketrans(
    {
        **dict(zip("аеорсухіјѕһԁԛԝ", "aeopcyxijshdqw", strict=True)),  # Cyrillic
        **dict(zip("мнкт", "mhkt", strict=True)),
        **dict(zip("οανιτκρυχε", "oavitkpuxe", strict=True)),  # Greek
        **dict(zip("ıłøđħɑɡ", "ilodhag", strict=True)),
        **{"0": "o", "1": "l", "|": "l", "ß": "ss", "æ": "ae", "œ": "oe"},
    }
)
_NOT_A_LETTER = re.compile(r"[^\w]+|_+")
_LONGEST = 200  # a name; beyond that only work for us


def skeleton(name: str) -> str:
    """The letters of a name's words in their order-free form: "Doe, Jane" equals "jane d0e".

    Case, accents, invisible characters, punctuation and common homoglyphs are folded; linear
    in at most 200 characters.
    """
    folded = unicodedata.normalize("NFKD", name[:_LONGEST].casefold())
    kept = "".join(c for c in folded if unicodedata.category(c) not in ("Mn", "Cf", "Cc"))
    kept = kept.translate(_LOOKALIKES)
    return " ".join(sorted(_NOT_A_LETTER.sub(" ", kept).replace("rn", "m").split()))
