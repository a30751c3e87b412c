"""Chromium shows the same words before and after; only bare addresses become the copy page's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.browser import rendering
from tests.browser.webdriver import Browser
from tests.support.linked_mails import SEALED, Mail, mails

NAMES = (
    "outlook-word-reply",
    "outlook-vml-button",
    "outlook-vml-shapes",
    "outlook-revealed-conditional",
    "outlook-new-web",
    "gmail-reply",
    "gmail-bare-address",
    "gmail-emoji-base64",
    "apple-mail-phone",
    "yahoo-mail",
    "thunderbird-flowed",
    "thunderbird-formula",
    "newsletter-tables",
    "newsletter-svg",
    "newsletter-image-map",
    "newsletter-entities",
    "newsletter-nested-anchors",
    "newsletter-arabic",
    "newsletter-japanese",
    "newsletter-hidden-text",
    "newsletter-refresh",
    "student-system-grades",
    "student-system-enrollment-form",
    "html-as-text",
    "utf-16-page",
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as chromium:
        chromium.size(rendering.WIDTH, rendering.HEIGHT)
        yield chromium


def judge(browser: Browser, mail: Mail) -> None:
    shown = rendering.show(browser, mail)
    assert rendering.restored(mail, shown.linked) == shown.before
    with_notice = rendering.without_disclaimer(rendering.restored(mail, shown.both))
    assert with_notice == shown.before
    if not SEALED.search(shown.linked) and not any(one.visible for one in mail.links):
        assert shown.linked_pixels == 0
    assert 0 < shown.both_pixels < 0.5


@pytest.mark.parametrize("name", NAMES)
def test_the_words_are_the_same(browser: Browser, name: str) -> None:
    (mail,) = (mail for mail in mails() if mail.name == name)
    judge(browser, mail)


@pytest.mark.slow
@pytest.mark.parametrize("mail", mails(), ids=lambda mail: mail.name)
def test_the_words_are_the_same_in_all(browser: Browser, mail: Mail) -> None:
    judge(browser, mail)
