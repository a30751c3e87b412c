"""`mailguard spam`: what is taught from files, mbox files and directories, and taken back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.support.nameserver import nameserver
from typer.testing import CliRunner, Result

from mailguard.casework.lessons import Example
from mailguard.cli.examples import examples
from mailguard.cli.root import application

ROOT = Path(__file__).resolve().parents[3]
LETTER = "From: pat@home.test\nTo: tim@example.org\nSubject: {0}\n\n{1}\n"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    place = tmp_path / "config"
    shutil.copytree(ROOT / "config", place)
    return place


def run(config: Path, *arguments: str) -> Result:
    return CliRunner().invoke(application, ["spam", *arguments, "--config", str(config)])


def stats(config: Path) -> dict[str, float]:
    told: dict[str, float] = json.loads(run(config, "stats", "--json").stdout)
    return told


def mbox(path: Path, *bodies: str) -> Path:
    letters = (LETTER.format(n, body) for n, body in enumerate(bodies))
    path.write_text("".join(f"From pat Wed Nov 25 10:00:00 2026\n{one}\n" for one in letters))
    return path


def test_taught_counted_and_taken_back(config: Path, tmp_path: Path) -> None:
    junk = mbox(tmp_path / "junk.mbox", *(f"win prize {n}x" for n in range(20)))
    letters = tmp_path / "letters"
    (letters / "below").mkdir(parents=True)
    for number in range(20):
        place = letters / "below" if number % 2 else letters
        (place / f"{number}.eml").write_text(LETTER.format("Bus", f"the bus of room {number}x"))
    (letters / ".hidden").write_text("Subject: x\n\n")
    assert stats(config)["speaks"] is False
    done = run(config, "learn", "--spam", str(junk))
    assert done.exit_code == 0, done.output
    assert "20 message(s) taught as spam; 0 of them were known" in done.stdout
    assert "No opinion yet" in run(config, "stats").stdout
    done = run(config, "learn", "--ham", str(letters), str(junk))
    assert "40 message(s) taught as wanted mail; 20 of them were known" in done.stdout
    told = stats(config)
    assert (told["spam"], told["ham"], told["speaks"]) == (0, 40, False)
    assert run(config, "learn", "--spam", str(junk)).exit_code == 0
    told = stats(config)
    assert (told["spam"], told["ham"], told["speaks"], told["floor"]) == (20, 20, True, 20)
    assert (round(told["spam_worth"]), round(told["ham_worth"])) == (20, 20)
    assert "20 of 20 message(s) forgotten" in run(config, "forget", str(junk)).stdout
    assert "0 of 20 message(s) forgotten" in run(config, "forget", str(junk)).stdout
    told = stats(config)
    assert (told["spam"], told["ham"], told["speaks"]) == (0, 20, False)


def test_what_was_taught_is_what_check_tells(config: Path, tmp_path: Path) -> None:
    spam = mbox(tmp_path / "a", *(f"zebra crossing number {n}x" for n in range(30)))
    ham = mbox(tmp_path / "b", *(f"the bus of room {n}x" for n in range(30)))
    assert run(config, "learn", "--spam", str(spam)).exit_code == 0
    assert run(config, "learn", "--ham", str(ham)).exit_code == 0
    letter = tmp_path / "letter.eml"
    letter.write_text(LETTER.format("Zebra", "You have won a lottery: zebra crossing!"))
    asked = ["check", "--json", "--rcpt=ada.birch@example.org", "--mail-from=pat@home.test"]
    asked += [f"--dns={nameserver()}", "--config", str(config), str(letter)]
    answer = json.loads(CliRunner().invoke(application, asked).stdout)
    (evidence,) = (f["evidence"] for f in answer["findings"] if f["code"].startswith("spam."))
    assert "BAYES_SPAM +4.5: " in evidence and "crossing" in evidence


def test_which_kind_must_be_said(config: Path, tmp_path: Path) -> None:
    done = run(config, "learn", str(mbox(tmp_path / "junk", "win")))
    assert done.exit_code != 0 and "--spam" in done.output


def test_a_file_that_is_not_there(config: Path, tmp_path: Path) -> None:
    done = run(config, "learn", "--spam", str(tmp_path / "none"))
    assert done.exit_code == 1 and "none" in done.output


def test_what_cannot_be_read_is_named(config: Path, tmp_path: Path) -> None:
    good, empty = tmp_path / "good.eml", tmp_path / "empty.eml"
    good.write_text(LETTER.format("Bus", "late"))
    empty.write_text("")
    done = run(config, "learn", "--ham", str(good), str(empty))
    assert done.exit_code == 1
    assert "1 message(s) taught" in done.output and "empty.eml: empty" in done.output


def test_the_messages_of_an_mbox(tmp_path: Path) -> None:
    path = tmp_path / "a.mbox"
    path.write_bytes(
        b"From one Wed\nSubject: 1\n\nnot From here\n>From the start\n>>From quoted\n\n"
        b"From two Wed\nSubject: 2\nFrom: x\n\nFrom\n\n"
        b"From three Wed\nSubject: 3\n\n" + b"x" * 90 + b"\n\nFrom four Wed\n"
    )
    assert list(examples([path], 80)) == [
        Example(
            f"{path}:1", b"Subject: 1\r\n\r\nnot From here\r\nFrom the start\r\n>From quoted\r\n"
        ),
        Example(f"{path}:2", b"Subject: 2\r\nFrom: x\r\n\r\nFrom\r\n"),
        Example(f"{path}:3", b""),
        Example(f"{path}:4", b""),
    ]


def test_a_message_is_the_same_example_however_it_was_saved(tmp_path: Path) -> None:
    text = LETTER.format("Bus", "late\n\nFrom here it is late.").encode()
    (tmp_path / "lf.eml").write_bytes(text)
    (tmp_path / "crlf.eml").write_bytes(text.replace(b"\n", b"\r\n"))
    quoted = text.replace(b"\nFrom here", b"\n>From here")
    (tmp_path / "z.mbox").write_bytes(b"From pat Wed\n" + quoted + b"\n")
    assert len({one.raw for one in examples([tmp_path], 10_000)}) == 1
    assert [one.raw for one in examples([tmp_path / "lf.eml"], 10)] == [b""]
