"""How Chromium shows a mail before and after its edits. Run it to write the table of docs/links.md.

A mail's HTML is shown as web mail shows it: in a frame that runs no scripts and goes nowhere.
"""

from __future__ import annotations

import base64
import html
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tests.browser.webdriver import Browser
from tests.support import link_tables as table
from tests.support.linked_mails import (
    DISCLAIMER,
    KEYS,
    SEALED,
    Mail,
    judged,
    mails,
    proposed,
    texts,
)

from mailguard.core.decision.edit import Edit
from mailguard.core.links import sealed
from mailguard.core.mail import mime
from mailguard.core.render import render
from mailguard.core.text import reader

WIDTH, HEIGHT = 800, 700
# Such mail gets no disclaimer; here it is as if a person had written it.
_BY_PROGRAM = re.compile(
    rb"^(?:Auto-Submitted|Precedence|List-[\w-]+):.*\r\n(?:[ \t].*\r\n)*", re.M
)
_SHOW = """
document.body.style.margin = 0;
document.body.innerHTML = '<iframe sandbox="allow-same-origin" '
  + 'style="border:0;width:100vw;height:100vh"></iframe>';
const frame = document.querySelector("iframe");
return new Promise(resolve => {
  frame.onload = () => resolve(frame.contentDocument.body.innerText);
  frame.srcdoc = arguments[0];
});
"""
_COMPARE = """
const load = data => new Promise((resolve, reject) => {
  const image = new Image();
  image.onload = () => {
    const canvas = new OffscreenCanvas(image.width, image.height);
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    resolve(new Uint32Array(context.getImageData(0, 0, image.width, image.height).data.buffer));
  };
  image.onerror = () => reject(new Error("no picture"));
  image.src = "data:image/png;base64," + data;
});
return Promise.all([load(arguments[0]), load(arguments[1])]).then(([one, other]) => {
  if (one.length !== other.length) throw new Error("two sizes");
  let changed = 0;
  for (let at = 0; at < one.length; at++) changed += one[at] !== other[at];
  return changed / one.length;
});
"""


@dataclass(frozen=True)
class Shown:
    """One mail in three states: what can be read of it, and the share of pixels that changed."""

    mail: Mail
    before: str
    linked: str
    both: str
    linked_pixels: float
    both_pixels: float


def show(browser: Browser, mail: Mail) -> Shown:
    """Before, with its links changed, and with a disclaimer as well."""
    message = mime.parse(_BY_PROGRAM.sub(b"", mail.raw))
    _, _, verdict = judged(message.raw)
    states: list[tuple[Edit, ...]] = [(), tuple(texts(verdict)), proposed(message, "copy-page")]
    words, pictures = [], []
    for edits in states:
        changed = mime.parse(render.render(message, edits))
        (shown,) = (t.text for t in reader.read(changed).texts if t.subtype == "html")
        browser.open("about:blank")
        words.append(" ".join(str(browser.run(_SHOW, shown)).split()))
        pictures.append(base64.b64encode(browser.screenshot()).decode())
    browser.open("about:blank")
    shares = [float(browser.run(_COMPARE, pictures[0], after)) for after in pictures[1:]]
    return Shown(mail, words[0], words[1], words[2], shares[0], shares[1])


def restored(mail: Mail, shown: str) -> str:
    """Words with each address of the copy page replaced by what the mail had there."""
    written = {one.target: html.unescape(one.written or one.target) for one in mail.links}
    for one in mail.links:
        if one.visible:  # no link any more, and its address beside it
            shown = shown.replace(f" [{one.target}]", "")
    return SEALED.sub(lambda found: written[sealed.open_(found[1], KEYS)], shown)


def without_disclaimer(shown: str) -> str:
    """Words without the one insertion."""
    before, notice, after = shown.partition(" ".join(DISCLAIMER.split()))
    assert notice, "the disclaimer is not to be seen"
    return " ".join((before + " " + after).split())


def pictures(found: Iterable[Shown]) -> str:
    """The table of docs/links.md."""
    rows = [
        "| mail | text links in it | links changed | and a disclaimer |",
        "|---|---|---|---|",
    ]
    count, unchanged = 0, 0
    for shown in sorted(found, key=lambda s: (-s.linked_pixels, s.mail.name)):
        count += 1
        if not shown.linked_pixels:
            unchanged += 1
            continue
        bare = len(SEALED.findall(shown.linked))
        rows.append(
            f"| {shown.mail.name} | {bare} | {shown.linked_pixels:.2%} | {shown.both_pixels:.2%} |"
        )
    rows.append(f"| the other {unchanged} of {count} | 0 | 0.00% | the disclaimer's own lines |")
    return "\n".join(rows)


if __name__ == "__main__":
    with Browser() as chromium:
        chromium.size(WIDTH, HEIGHT)
        table.put("pictures", pictures([show(chromium, mail) for mail in mails()]))
