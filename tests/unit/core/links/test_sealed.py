"""Sealed links (R39)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailguard.core.links import sealed

KEY, OLD, OTHER = b"k" * 32, b"o" * 32, b"x" * 32
LONG = "https://news.example.org/a/b?" + "utm_source=newsletter&utm_medium=email&x=1&" * 4

TARGETS = st.builds(
    lambda host, rest: f"https://{host}.test/{rest}",
    st.text("abcxyz09-", min_size=1, max_size=20),
    st.text(st.characters(min_codepoint=0x21, exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"])),
)


@given(TARGETS)
def test_what_was_sealed_is_opened(target: str) -> None:
    assert sealed.open_(sealed.seal(target, (KEY,)), (KEY,)) == target


def test_a_token_is_the_same_each_time_and_safe_in_a_path() -> None:
    token = sealed.seal(LONG, (KEY,))
    assert token == sealed.seal(LONG, (KEY,))
    assert token.replace("-", "").replace("_", "").isalnum()


def test_a_long_address_is_deflated() -> None:
    assert len(sealed.seal(LONG, (KEY,))) < len(LONG)


@pytest.mark.parametrize("target", ["http://a.test/", LONG])
def test_every_flipped_bit_is_refused(target: str) -> None:
    token = sealed.seal(target, (KEY,))
    for at, letter in enumerate(token):
        for bit in range(7):
            flipped = chr(ord(letter) ^ (1 << bit))
            with pytest.raises(sealed.LinkError):
                sealed.open_(token[:at] + flipped + token[at + 1 :], (KEY,))


@pytest.mark.parametrize(
    "change", [lambda t: t[:-1], lambda t: t + "A", lambda t: t + "=", str.swapcase]
)
def test_a_token_that_was_cut_or_grew_is_refused(change) -> None:
    with pytest.raises(sealed.LinkError):
        sealed.open_(change(sealed.seal(LONG, (KEY,))), (KEY,))


@given(st.text(max_size=300))
def test_anything_else_is_refused_without_another_error(token: str) -> None:
    with pytest.raises(sealed.LinkError):
        sealed.open_(token, (KEY,))


def test_keys_rotate() -> None:
    token = sealed.seal("https://a.test/", (OLD,))
    assert sealed.open_(token, (KEY, OLD)) == "https://a.test/"
    with pytest.raises(sealed.LinkError):
        sealed.open_(token, (KEY, OTHER))


@pytest.mark.parametrize(
    "target",
    [
        "javascript:alert(1)",
        "ftp://a.test/",
        "//a.test/",
        "https://",
        "https://?x",
        "https://a.test/\r\nSet-Cookie: x",
        "https://a.test/ x",
        "https://a.test/" + "x" * 9_000,
        "https://a.test/\ud800",
        "",
    ],
)
def test_what_is_not_sealed(target: str) -> None:
    with pytest.raises(sealed.LinkError):
        sealed.seal(target, (KEY,))


def test_nothing_is_sealed_without_a_key() -> None:
    with pytest.raises(sealed.LinkError):
        sealed.seal("https://a.test/", ())


@pytest.mark.parametrize(
    ("target", "host"),
    [
        ("https://bank.test@evil.test/", "evil.test"),
        ("https://evil.test\\@bank.test/", "evil.test"),
        ("HTTPS://WWW.A.Test.:8443/x", "www.a.test"),
        ("http://[2001:db8::1]:80/", "2001:db8::1"),
        ("https://a.test?b@c.test", "a.test"),
        ("mailto:a@b.test", ""),
    ],
)
def test_the_host_is_the_one_that_a_browser_goes_to(target: str, host: str) -> None:
    assert sealed.host(target) == host


def test_both_readings_of_an_international_host() -> None:
    assert sealed.readings_of_host("xn--bcher-kva.test") == (
        "xn--bcher-kva.test",
        "b\u00fccher.test",
    )
    assert sealed.readings_of_host("b\u00fccher.test") == ("xn--bcher-kva.test", "b\u00fccher.test")
    assert sealed.readings_of_host("xn--\u00ff.test")[1]


SENT = sealed.LinkOrigin("ann@home.test", 29_926_666)  # Wed, 25 Nov 2026
# Made before tokens could tell of the message: they are in people's mailboxes.
OLD_TOKENS = {
    "IgGTPzSU3REOY4oTRvQuMlE2aHR0cHM6Ly9hLnRlc3Qv": "https://a.test/",
    "IgL-xGdrbQo3el_PkxPAbQVVgwmAVOqlVgANyUkFuyJRPwm7SZjWV9gaqg24UgA": LONG,
}


@pytest.mark.parametrize("target", ["https://a.test/", LONG])
def test_a_token_may_tell_whom_the_message_says_it_is_from_and_when_it_came(target: str) -> None:
    token = sealed.seal(target, (KEY,), SENT)
    assert sealed.opened(token, (KEY,)) == (target, SENT)
    assert sealed.open_(token, (KEY,)) == target
    assert sealed.opened(sealed.seal(target, (KEY,)), (KEY,)) == (target, None)
    assert len(token) <= len(sealed.seal(target, (KEY,))) + (4 + 14 + 1) * 4 // 3 + 1


@given(TARGETS, st.text(min_size=1, max_size=60), st.integers(-5, 2**33))
def test_whatever_is_told_the_address_stays_exact(target: str, sender: str, minute: int) -> None:
    told = sealed.LinkOrigin(sender, minute)
    again, sent = sealed.opened(sealed.seal(target, (KEY,), told), (KEY,))
    assert again == target
    fit = sender.isprintable() and 0 <= minute < 2**31 and len(sender.encode()) <= 254
    assert sent == (told if fit else None)


def test_what_is_told_cannot_be_changed() -> None:
    token = sealed.seal(LONG, (KEY,), SENT)
    for at, letter in enumerate(token):
        flipped = chr(ord(letter) ^ 1)
        with pytest.raises(sealed.LinkError):
            sealed.opened(token[:at] + flipped + token[at + 1 :], (KEY,))


@pytest.mark.parametrize("token", OLD_TOKENS)
def test_tokens_made_before_stay_valid(token: str) -> None:
    assert sealed.opened(token, (KEY,)) == (OLD_TOKENS[token], None)
