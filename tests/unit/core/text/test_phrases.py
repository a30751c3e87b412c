"""Listed phrases are found however they are typed, and only as whole words."""

from __future__ import annotations

import pytest
from tests.support import cost

from mailguard.checks.group_rights import announcements
from mailguard.checks.mass_mail import chain_letters
from mailguard.core.mail import mime
from mailguard.core.people.model import Event
from mailguard.core.text import phrases, reader
from mailguard.core.text.folding import folded

LIST = ("send this to # people", "bake sale", "rifa", "recaudación de fondos", "you're invited")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Send this to 10 people.", "send this to # people"),
        ("SEND  this\nto TEN people", "send this to # people"),
        ("send this to many people", ""),
        ("Bake-sale!", "bake sale"),
        ("bake\u00a0sale", "bake sale"),
        ("ba\u200bke sale", "bake sale"),
        ("snowflake sales", ""),
        ("bake salesman", ""),
        ("RIFA", "rifa"),
        ("tarifa", ""),
        ("Recaudacion de fondos", "recaudación de fondos"),
        ("You’re invited", "you're invited"),
        ("", ""),
    ],
)
def test_found(text: str, found: str) -> None:
    assert phrases.found(LIST, phrases.plain(text)) == tuple(filter(None, [found]))


def test_ascii_is_folded_as_all_text_is() -> None:
    every = "".join(map(chr, range(128))) * 2 + "A_b-C  d\x00e"
    assert phrases.plain(every) == folded(every)


def test_a_phrase_needs_a_word() -> None:
    assert phrases.checked(["a #"]) == ("a #",)
    for wrong in ("", "#", " ?! "):
        with pytest.raises(ValueError, match="has no words"):
            phrases.checked([wrong])


def test_long_texts_cost_little() -> None:
    def read(text: str) -> None:
        phrases.found(announcements.PHRASES, text)
        chain_letters.signs(text, chain_letters.REQUESTS, chain_letters.CONSEQUENCES, 2)

    text = cost.Growing(lambda n: phrases.plain("send this to " * n + "é" * 2 * n), 20_000)
    cost.assert_linear(text, read)


def message(subject: str, text: str) -> mime.Message:
    return mime.parse(f"From: a@example.org\r\nSubject: {subject}\r\n\r\n{text}\r\n".encode())


def signs(subject: str, text: str) -> str:
    made = message(subject, text)
    return announcements.signs(made, reader.read(made), announcements.PHRASES, announcements.TAGS)


@pytest.mark.parametrize(
    "text",
    [
        "The minutes of Tuesday's meeting are attached.",
        "Could you cover my class on Friday? I have an appointment.",
        "The heating in the east wing is off until noon.",
        "Please send me your grades by Thursday.",
        "Who has the key to the gym?",
        "The staff meeting moves to room 12.",
        "Reminder: fire drill at 10:15.",
        "The new readers are in the book room.",
        "Thank you for your help with the tests.",
        "I will be out of the office on Monday.",
        "The bus for the field trip leaves at 8:30.",
        "Two of my students need an interpreter for the conference.",
    ],
)
def test_ordinary_mail_is_no_announcement(text: str) -> None:
    assert signs("Question", text) == ""


@pytest.mark.parametrize(
    ("subject", "text"),
    [
        ("PTA bake sale", ""),
        ("Cookie dough orders", "Our fundraiser ends on Friday."),
        ("Golf Tournament", "Sign up by May."),
        ("Hello", "All proceeds go to the band."),
        ("Hello", "Please join us for a retirement luncheon for Mr. Reed."),
        ("Save the date!", ""),
        ("[announcement] x", ""),
        ("Venta", "Están invitados a la rifa."),
        ("=?utf-8?q?Fund=2Draising?=", ""),
    ],
)
def test_fundraisers_and_announcements(subject: str, text: str) -> None:
    assert signs(subject, text)


def test_a_quoted_announcement_is_not_the_answers() -> None:
    assert signs("Thanks", "I have no time.\r\n\r\n> Join us for the bake sale!") == ""


def test_an_event_is_told_by_its_subject_alone() -> None:
    from datetime import date

    day = date(2026, 11, 25)
    events = (Event("Golf", ("golf tournament", "golf day #"), day, day),)
    for subject in ("The GOLF-tournament", "Re: Golf day 2"):
        assert announcements.event_of(message(subject, ""), events) == events[0]
    for subject in ("Golf", "Bake sale"):
        assert announcements.event_of(message(subject, "golf tournament"), events) is None


def chained(text: str, least: int = 2) -> str:
    plain = phrases.plain(text)
    return chain_letters.signs(plain, chain_letters.REQUESTS, chain_letters.CONSEQUENCES, least)


@pytest.mark.parametrize(
    "text",
    [
        "Forward this to 10 people within the hour and something good will happen to you.",
        "Do not break the chain! Send this to everyone you know.",
        "A girl did not send this to 7 friends and she died.",
        "Microsoft is tracking this e-mail: forward this to everyone and they will pay you $245.",
        "Make a wish, then send this message to twelve friends.",
        "No rompas la cadena: reenvía este correo a 15 amigos.",
        "Copy and paste this to your page. This is not a joke.",
    ],
)
def test_chain_letters(text: str) -> None:
    assert chained(text)


@pytest.mark.parametrize(
    "text",
    [
        "Please forward this to your substitutes. Good luck with the exams!",
        "Send this to the printer and bring 30 copies.",
        "What bad luck that the pipe broke!",
        "Forward this to everyone on the committee.",
        "The supply chain is late; don't break the chain of custody form.",
        "He died in 1865, within 10 days of the surrender. Please pass this on to your students.",
        "Let us keep the chain going: who reads next week?",
        "Pass this on to two colleagues who could not come.",
        "Buena suerte a todos en los exámenes.",
    ],
)
def test_ordinary_mail_is_no_chain_letter(text: str) -> None:
    assert chained(text) == ""


def test_least_counts_both_kinds_together() -> None:
    text = "Send this to ten people or expect bad luck."
    assert chained(text, 2) and not chained(text, 3)
