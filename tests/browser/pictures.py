"""Write the pages' pictures in docs/images anew: `make pictures`.

A real serve with the example district: the link of a made-up newsletter, a custodian's message that
waits for approval, a parent's message that was blocked.
"""

from __future__ import annotations

from pathlib import Path

from tests.browser.asked import PAULA, TARA, TOMAS, Asking
from tests.browser.webdriver import Browser
from tests.support.serving import ROOT, Serve

from mailguard.config.keys import link_keys
from mailguard.core.links import sealed

TARGET = "https://tours.museum.test/visit/spring?class=4b&utm_source=newsletter&utm_medium=email"
KEYS = """\
Dear all,

somebody has left five keys and a red whistle in the gym of Oak.
They hang in the office now: please ask Mr. Juniper for them.

Clara Rowan
Custodian"""
IMAGES = ROOT / "docs" / "images"
DESK, PHONE = (900, 600, 1.0, False), (360, 640, 2.0, True)


def write(into: Path) -> list[Path]:
    """Each page as on a desk's window, on a phone, or both."""
    into.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def take(url: str, name: str, window: tuple[int, int, float, bool]) -> None:
        width, height, scale, phone = window
        browser.size(width, height, scale, phone)
        browser.open(url)
        whole = browser.run("return document.documentElement.scrollHeight")
        browser.size(width, whole, scale, phone)
        path = into / f"{name}.png"
        path.write_bytes(browser.screenshot())
        written.append(path)

    with Asking() as asking, Browser() as browser:
        page = copy_page(asking.serve)
        take(page, "copy-page", DESK)
        take(page, "copy-page-phone", PHONE)
        questions = asking.approvers("Keys found in the gym", KEYS)
        take(questions[PAULA].link, "answer-page", DESK)
        take(questions[PAULA].link, "answer-page-phone", PHONE)
        browser.click("button[value=yes]")
        asking.told(TOMAS, "Decided: Keys found in the gym")
        take(questions[TOMAS].link, "answer-page-decided", PHONE)
        seen = asking.asked_so_far(TARA)
        browser.open(asking.reviewers().link)
        browser.click("button[value=yes]")
        take(asking.next_question(TARA, seen).link, "answer-page-sender", PHONE)
    return written


def copy_page(serve: Serve) -> str:
    """Where the newsletter's link goes."""
    token = sealed.seal(TARGET, link_keys(serve.state, create=False))
    return f"http://127.0.0.1:{serve.ports['http']}/l/{token}"


if __name__ == "__main__":
    for path in write(IMAGES):
        print(path.relative_to(ROOT))
