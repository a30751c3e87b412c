"""The blob store: bytes come back as they went in, and what was answered stays."""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import shutil
import signal
import struct
import subprocess
import sys
import time
from pathlib import Path

import pytest
import zstandard

from mailguard.adapters.archive.blobs import Blobs
from mailguard.pipeline.ports import StoreError

ENVELOPE = {"id": "01", "reverse_path": "a@example.org", "recipients": ["b@example.org"]}


_SKIPPABLE = struct.pack("<I", 0x184D2A5E)


@pytest.mark.parametrize("raw", [b"", b"\0\r\n\xff", b"x" * 10, os.urandom(700_000)])
async def test_bytes_come_back_exactly(archive: Blobs, raw: bytes) -> None:
    digest = await archive.store(raw, ENVELOPE)
    assert digest == hashlib.sha256(raw).hexdigest()
    assert await archive.fetch(digest) == raw
    assert archive.size(digest) == len(raw)
    assert archive.envelopes(digest) == [ENVELOPE]


async def test_the_layout_and_who_may_read_it(archive: Blobs, tmp_path: Path) -> None:
    digest = await archive.store(b"hello", ENVELOPE)
    path = tmp_path / "blobs" / digest[:2] / f"{digest}.zst"
    assert archive.path(digest) == path
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0
    assert list((tmp_path / "blobs" / "incoming").iterdir()) == []


async def test_a_blob_is_written_once_and_an_empty_one_again(archive: Blobs) -> None:
    digest = await archive.store(b"hello", ENVELOPE)
    before = archive.path(digest).stat()
    await archive.store(b"hello", ENVELOPE | {"id": "02"})
    assert archive.path(digest).stat().st_ino == before.st_ino
    assert [one["id"] for one in archive.envelopes(digest)] == ["01", "02"]
    archive.path(digest).write_bytes(b"")  # what a crash of the machine could leave
    with pytest.raises(StoreError):
        archive.envelopes(digest)
    await archive.store(b"hello", ENVELOPE | {"id": "03"})
    assert await archive.fetch(digest) == b"hello"
    assert [one["id"] for one in archive.envelopes(digest)] == ["03"]


@pytest.mark.parametrize("raw", [b"", b"hello", b"x" * 400_000, os.urandom(400_000)])
async def test_other_decoders_see_the_message_alone(archive: Blobs, raw: bytes) -> None:
    for number in range(3):  # blocks of every type, several blocks, several envelopes
        digest = await archive.store(raw, ENVELOPE | {"id": str(number)})
    path = archive.path(digest)
    with path.open("rb") as file:
        reader = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
        assert reader.read() == raw
    if program := shutil.which("zstd"):
        assert subprocess.check_output([program, "-dc", path]) == raw
    assert [one["id"] for one in archive.envelopes(digest)] == ["0", "1", "2"]


async def test_our_own_messages_have_no_envelope(archive: Blobs) -> None:
    digest = await archive.store(b"a notice", None)
    assert archive.envelopes(digest) == []
    assert list(archive.iter_envelopes(time.time() - 60)) == []
    size = archive.path(digest).stat().st_size
    await archive.store(b"a notice", None)
    assert archive.path(digest).stat().st_size == size


async def test_stores_at_once(archive: Blobs) -> None:
    raws = [f"message {number % 50}".encode() for number in range(200)]
    digests = await asyncio.gather(
        *(archive.store(raw, ENVELOPE | {"id": str(n)}) for n, raw in enumerate(raws))
    )
    for raw, digest in zip(raws, digests, strict=True):
        assert await archive.fetch(digest) == raw
    assert sorted(int(one["id"]) for d in set(digests) for one in archive.envelopes(d)) == list(
        range(200)
    )


async def test_each_file_and_directory_is_synchronised_before_the_answer(
    archive: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    synchronised: list[str] = []
    real = os.fsync

    def record(descriptor: int) -> None:
        synchronised.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    digest = await archive.store(b"hello", ENVELOPE)
    path = archive.path(digest)
    blobs = path.parent.parent
    assert synchronised[:2] == [str(blobs), str(blobs.parent)]  # the directories, made once
    assert synchronised[2].startswith(f"{blobs}/incoming/{digest}")
    assert synchronised[-1] == str(path.parent)
    synchronised.clear()
    await archive.store(b"hello", ENVELOPE)
    assert synchronised == [str(path), str(path.parent)]
    synchronised.clear()
    await asyncio.gather(*(archive.store(b"hello", ENVELOPE) for _ in range(10)))
    assert synchronised.count(str(path.parent)) < 10
    assert len(archive.envelopes(digest)) == 12


async def test_nothing_has_its_name_before_it_is_durable(
    archive: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    for name in ("fsync", "fdatasync", "rename"):
        real = getattr(os, name)
        monkeypatch.setattr(
            os, name, lambda *given, name=name, real=real: (steps.append(name), real(*given))[1]
        )
    await archive.store(b"first", ENVELOPE)
    steps.clear()
    await archive.store(b"second", ENVELOPE)
    # The file; the arrivals, which must know of it first; its name; the directory.
    assert steps == ["fsync", "fdatasync", "rename", "fsync"]


async def test_damage_is_told_from_absence(archive: Blobs) -> None:
    with pytest.raises(KeyError):
        await archive.fetch("0" * 64)
    with pytest.raises(KeyError):
        await archive.fetch("../../../etc/passwd")
    digest = await archive.store(b"hello " * 1000, ENVELOPE)
    whole = archive.path(digest).read_bytes()
    end = whole.index(_SKIPPABLE)
    for damaged in (whole[: end - 3], whole[:9] + bytes([whole[9] ^ 1]) + whole[10:], b"", b"junk"):
        archive.path(digest).write_bytes(damaged)
        with pytest.raises(StoreError, match="damaged"):
            await archive.fetch(digest)
    other = await archive.store(b"other", None)
    archive.path(digest).write_bytes(archive.path(other).read_bytes())  # sound, but another's
    with pytest.raises(StoreError, match="damaged"):
        await archive.fetch(digest)


async def test_a_blob_cut_short_is_written_anew(archive: Blobs) -> None:
    digest = await archive.store(b"hello " * 1000, ENVELOPE)
    whole = archive.path(digest).read_bytes()
    for cut in range(whole.index(_SKIPPABLE)):
        archive.path(digest).write_bytes(whole[:cut])
        await archive.store(b"hello " * 1000, ENVELOPE)
        assert archive.path(digest).read_bytes() == whole


async def test_a_torn_envelope_hides_neither_those_before_nor_the_next(archive: Blobs) -> None:
    digest = await archive.store(b"hello", ENVELOPE)
    path = archive.path(digest)
    first = path.read_bytes()
    await archive.store(b"hello", ENVELOPE | {"id": "02"})
    both = path.read_bytes()
    for torn in [both[:cut] for cut in range(len(first), len(both))] + [first + bytes(50)]:
        path.write_bytes(torn)
        assert archive.envelopes(digest) == [ENVELOPE]
        assert await archive.fetch(digest) == b"hello"
        await archive.store(b"hello", ENVELOPE | {"id": "02"})
        assert path.read_bytes() == both


async def test_an_envelope_that_finds_no_room_leaves_nothing(archive: Blobs) -> None:
    digest = await archive.store(os.urandom(50_000), ENVELOPE)
    raw = await archive.fetch(digest)
    before = archive.path(digest).read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, hard))
    try:
        with pytest.raises(StoreError) as caught:
            await archive.store(raw, ENVELOPE | {"id": "02"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.full
    assert archive.path(digest).read_bytes() == before
    await archive.store(raw, ENVELOPE | {"id": "02"})
    assert [one["id"] for one in archive.envelopes(digest)] == ["01", "02"]


async def test_two_stores_of_one_directory_lose_no_envelope(tmp_path: Path) -> None:
    stores = [Blobs(tmp_path / "blobs") for _ in range(4)]  # as four processes would
    raws = [f"message {number}".encode() for number in range(30)]
    digests = await asyncio.gather(
        *(
            store.store(raw, ENVELOPE | {"id": f"{place}-{turn}"})
            for raw in raws
            for turn in range(3)
            for place, store in enumerate(stores)
        )
    )
    expected = {f"{place}-{turn}" for place in range(4) for turn in range(3)}
    for digest in set(digests):
        found = [one["id"] for one in stores[0].envelopes(digest)]
        assert set(found) == expected and len(found) == len(expected)
    for store in stores:
        store.close()
    assert list((tmp_path / "blobs" / "incoming").iterdir()) == []


async def test_directories_that_were_taken_away_are_made_again(
    archive: Blobs, tmp_path: Path
) -> None:
    await archive.store(b"hello", ENVELOPE)
    shutil.rmtree(tmp_path / "blobs")
    with pytest.raises(StoreError):
        await archive.store(b"hello", ENVELOPE)
    digest = await archive.store(b"hello", ENVELOPE)
    assert await archive.fetch(digest) == b"hello"


async def test_surrogates_in_an_envelope_come_back(archive: Blobs) -> None:
    envelope = ENVELOPE | {"helo": "\udcff\0\r\n\u2028"}
    digest = await archive.store(b"hello", envelope)
    assert archive.envelopes(digest) == [envelope]
    behind = archive.path(digest).read_bytes().partition(_SKIPPABLE)[2]
    assert len(behind[4:].splitlines()) == 1


async def test_only_what_changed_is_looked_at(archive: Blobs, tmp_path: Path) -> None:
    old = await archive.store(b"old", ENVELOPE | {"id": "old"})
    new = await archive.store(b"new", ENVELOPE | {"id": "new"})
    past = time.time() - 1_000
    os.utime(archive.path(old), (past, past))
    since = time.time() - 500
    assert [d for d, _ in archive.iter_envelopes(since)] == [new]
    assert {d for d, _ in archive.iter_envelopes(past - 500)} == {old, new}
    assert {d for d, _ in archive.iter_envelopes()} == {old, new}
    await archive.store(b"old", ENVELOPE | {"id": "again"})  # no new name in the directory
    assert (old, ENVELOPE | {"id": "again"}) in list(archive.iter_envelopes(since))
    shutil.rmtree(tmp_path / "blobs" / "arrivals")  # not looked at where all are
    assert len(list(archive.iter_envelopes())) == 3


async def test_a_damaged_blob_hides_no_other_envelope(archive: Blobs, tmp_path: Path) -> None:
    damaged, gone, sound = [await archive.store(raw, ENVELOPE) for raw in (b"1", b"2", b"3")]
    archive.path(damaged).write_bytes(b"junk")
    archive.path(gone).unlink()
    (tmp_path / "blobs" / "00" / "no blob").touch()
    for since in (time.time() - 60, 0.0):
        assert [digest for digest, _ in archive.iter_envelopes(since)] == [sound]


async def test_torn_arrivals_swallow_nothing_and_old_ones_are_forgotten(tmp_path: Path) -> None:
    arrivals = tmp_path / "blobs" / "arrivals"
    arrivals.mkdir(parents=True)
    (arrivals / "2001-01-01T00").write_text("0" * 64)
    first, second = Blobs(tmp_path / "blobs"), Blobs(tmp_path / "blobs")
    digests = [await first.store(b"one", ENVELOPE)]
    (hour,) = arrivals.iterdir()
    with hour.open("ab") as file:
        file.write(b"0123456")
    digests.append(await second.store(b"two", ENVELOPE))
    assert [digest for digest, _ in first.iter_envelopes(time.time() - 60)] == digests
    first.close()
    second.close()


async def test_a_full_disk_says_so_and_recovers_without_a_restart(
    archive: Blobs, tmp_path: Path
) -> None:
    raw = os.urandom(200_000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        results = await asyncio.gather(
            archive.store(raw, ENVELOPE),
            archive.store(b"small", ENVELOPE),
            archive.store(os.urandom(700_000), ENVELOPE),
            return_exceptions=True,
        )
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert isinstance(results[0], StoreError) and results[0].full
    assert isinstance(results[2], StoreError) and results[2].full
    assert await archive.fetch(results[1]) == b"small"  # its neighbour is not drawn in
    assert list((tmp_path / "blobs" / "incoming").iterdir()) == []
    assert await archive.fetch(await archive.store(raw, ENVELOPE)) == raw


async def test_a_really_full_file_system(tmp_path: Path) -> None:
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], capture_output=True
    )
    if mounted.returncode:
        pytest.skip("may not mount; the file size limit above stands in for it")
    archive = Blobs(place / "blobs")
    try:
        await archive.ready()
        filler = place / "filler"
        with filler.open("wb", buffering=0) as file, pytest.raises(OSError, match="space"):
            while True:
                file.write(bytes(4_096))
        for attempt in (archive.store(b"hello" * 5_000, ENVELOPE), archive.ready()):
            with pytest.raises(StoreError) as caught:
                await attempt
            assert caught.value.full
        filler.unlink()
        digest = await archive.store(b"hello" * 5_000, ENVELOPE)
        assert await archive.fetch(digest) == b"hello" * 5_000
    finally:
        archive.close()
        subprocess.run(["umount", place], check=True)


async def test_a_directory_that_cannot_be_made_is_trouble(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("in the way")
    archive = Blobs(tmp_path / "blobs")
    with pytest.raises(StoreError) as caught:
        await archive.store(b"hello", ENVELOPE)
    assert not caught.value.full
    archive.close()
    with pytest.raises(StoreError):
        await archive.store(b"hello", ENVELOPE)


async def test_what_a_crash_left_is_swept_but_not_what_is_under_way(tmp_path: Path) -> None:
    incoming = tmp_path / "blobs" / "incoming"
    incoming.mkdir(parents=True)
    (incoming / "old").touch()
    (incoming / "new").touch()
    os.utime(incoming / "old", (1, 1))
    archive = Blobs(tmp_path / "blobs")
    await archive.store(b"hello", None)
    archive.close()
    assert [one.name for one in incoming.iterdir()] == ["new"]


_CHILD = """
import asyncio, os, sys
from pathlib import Path
from mailguard.adapters.archive.blobs import Blobs

async def main(directory):
    archive = Blobs(Path(directory))
    async def one(worker):
        number = 0
        while True:
            raw = f"{worker}-{number} ".encode() * 500
            digest = await archive.store(raw, {"id": f"{worker}-{number}", "recipients": []})
            print(digest, flush=True)
            number += 1
    await asyncio.gather(*(one(worker) for worker in range(8)))

asyncio.run(main(sys.argv[1]))
"""


async def test_what_was_answered_outlives_kill_9(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _CHILD, str(tmp_path / "blobs")]
    child = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert child.stdout is not None
    answered = {child.stdout.readline().decode().strip() for _ in range(300)}
    child.send_signal(signal.SIGKILL)
    answered |= {d for d in child.stdout.read().decode().splitlines() if len(d) == 64}
    child.stdout.close()
    child.wait()
    archive = Blobs(tmp_path / "blobs")
    assert len(answered) >= 300
    assert answered <= {digest for digest, _ in archive.iter_envelopes(time.time() - 60)}
    for digest in answered:
        assert hashlib.sha256(await archive.fetch(digest)).hexdigest() == digest
        assert len(archive.envelopes(digest)) == 1
    archive.close()
