"""Write docs/images/copy-page*.png anew: `make pictures`.

A real serve with the example district, and the link of a made-up newsletter.
"""

from __future__ import annotations

from pathlib import Path

from tests.browser.webdriver import Browser
from tests.postfix import free_port
from tests.serving import ROOT, Serve

from mailguard.config.keys import link_keys
from mailguard.core import links

TARGET = "https://tours.museum.test/visit/spring?class=4b&utm_source=newsletter&utm_medium=email"
IMAGES = ROOT / "docs" / "images"


def write(into: Path) -> list[Path]:
    """Both pictures: a desk's window, and a phone."""
    into.mkdir(parents=True, exist_ok=True)
    written = []
    with Serve(free_port()) as serve, Browser() as browser:
        token = links.seal(TARGET, link_keys(serve.state, create=False))
        url = f"http://127.0.0.1:{serve.ports['http']}/l/{token}"
        shots = (("copy-page", 900, 600, 1.0, False), ("copy-page-phone", 360, 640, 2.0, True))
        for name, width, height, scale, phone in shots:
            browser.size(width, height, scale, phone)
            browser.open(url)
            whole = browser.run("return document.documentElement.scrollHeight")
            browser.size(width, whole, scale, phone)
            path = into / f"{name}.png"
            path.write_bytes(browser.screenshot())
            written.append(path)
    return written


if __name__ == "__main__":
    for path in write(IMAGES):
        print(path.relative_to(ROOT))
