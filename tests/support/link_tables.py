"""The tables of docs/links.md that come from the corpus. Run it to write them anew."""

from __future__ import annotations

from collections import Counter, defaultdict

from tests.support.linked_mails import INSIDE_A_LINK, mails
from tests.support.serving import ROOT

from mailguard.core.mail import mime
from mailguard.core.text import reader

DOCUMENT = ROOT / "docs" / "links.md"
WORDS = {
    "a": "`<a href>`",
    "a text": "an address shown as the text of a link",
    "area": "`<area href>`, image maps",
    "base": "`<base href>`",
    "button": "`<button formaction>`",
    "comment a": "`<a href>` in a conditional comment",
    "comment v:roundrect": "VML button in a conditional comment",
    "form": "`<form action>`",
    "input": "`<input formaction>`",
    "math": "MathML `href`",
    "meta": "`<meta http-equiv=refresh>`",
    "svg a": "SVG `<a xlink:href>`",
    "text": "a bare address in text",
    "v:rect": "VML `<v:rect href>`",
    "v:shape": "VML `<v:shape href>`",
}


def constructs() -> str:
    """Found and changed by construct."""
    total: Counter[str] = Counter()
    found: Counter[str] = Counter()
    sealed: Counter[str] = Counter()
    why: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for mail in mails():
        have = Counter(
            (link.part, link.construct, link.target)
            for link in reader.read(mime.parse(mail.raw)).links
        )
        for one in mail.links:
            total[one.construct] += 1
            key = (one.part, one.construct, one.target)
            if have[key]:
                have[key] -= 1
                found[one.construct] += 1
            if one.sealed:
                sealed[one.construct] += 1
            elif one.construct == INSIDE_A_LINK:
                why[one.construct]["opens nothing by itself"] += 1
            elif one.stays:
                why[one.construct][one.stays] += 1
            else:
                why[one.construct][f"{one.visible}: made visible text"] += 1
    rows = ["| construct | found | to the copy page | the others |", "|---|---|---|---|"]
    for construct in sorted(total, key=lambda c: (-total[c], c)):
        others = ", ".join(f"{n} {reason}" for reason, n in sorted(why[construct].items()))
        rows.append(
            f"| {WORDS.get(construct, construct)} | {found[construct]} / {total[construct]} "
            f"| {sealed[construct]} | {others} |"
        )
    rows.append(
        f"| **all**, in {len(mails())} mails | {found.total()} / {total.total()} "
        f"| {sealed.total()} | |"
    )
    return "\n".join(rows)


def between(document: str, name: str) -> str:
    """What stands between a table's marks."""
    return document.partition(f"<!-- {name} -->\n")[2].partition(f"\n<!-- /{name} -->")[0]


def put(name: str, text: str) -> None:
    """Write a table between its marks in the document."""
    document = DOCUMENT.read_text()
    old = f"<!-- {name} -->\n{between(document, name)}\n<!-- /{name} -->"
    assert old in document, f"the document has no marks for {name}"
    DOCUMENT.write_text(document.replace(old, f"<!-- {name} -->\n{text}\n<!-- /{name} -->"))


if __name__ == "__main__":
    put("constructs", constructs())
