"""One suite on SQLite and on PostgreSQL: every test that takes `url` runs on both.

PostgreSQL is Debian's, started here on a loopback port and gone at the end.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.support.ports import free_port
from tests.support.waiting import until

from mailguard.adapters.archive.blobs import Blobs
from mailguard.adapters.database.engine import Database
from mailguard.adapters.database.ledger import DatabaseLedger


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if found:
        return found[-1].parent
    message = "PostgreSQL is missing; install with: apt-get install postgresql"
    if os.environ.get("MAILGUARD_REQUIRE_PEERS") == "1":
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    binaries = _binaries()
    place = Path(tempfile.mkdtemp(prefix="mailguard-postgresql-"))
    account = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    if account:  # initdb refuses root
        shutil.chown(place, **account)
    cluster = place / "cluster"
    subprocess.run(
        [binaries / "initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-D", cluster],
        check=True,
        capture_output=True,
        cwd=place,
        extra_groups=[] if account else None,
        **account,
    )
    port = free_port()
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "fsync": "off",  # the tests kill clients, not the machine
        "deadlock_timeout": "100ms",
    }
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    with (place / "log").open("wb") as log:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", cluster, *options],
            stdout=log,
            stderr=log,
            cwd=place,
            extra_groups=[] if account else None,
            **account,
        )
    url = f"postgresql://postgres@127.0.0.1:{port}"
    try:
        until(lambda: _answers(url, server), (place / "log").read_text, "PostgreSQL to answer")
        with psycopg.connect(f"{url}/postgres", autocommit=True) as connection:
            connection.execute("CREATE DATABASE template_mailguard")
        template = Database(f"postgresql+psycopg://postgres@127.0.0.1:{port}/template_mailguard")
        template.upgrade()
        template.close()
        yield url
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(place)


def _answers(url: str, server: subprocess.Popen[bytes]) -> bool:
    assert server.poll() is None, "PostgreSQL ended"
    try:
        psycopg.connect(f"{url}/postgres").close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without a schema."""
    return _new(request, tmp_path, "template0")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.peer)])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database with the schema."""
    made = _new(request, tmp_path, "template_mailguard")
    if request.param == "sqlite":
        database = Database(made)
        database.upgrade()
        database.close()
    return made


def _new(request: pytest.FixtureRequest, tmp_path: Path, template: str) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'mailguard.db'}"
    server = request.getfixturevalue("postgresql_server")
    name = f"t{uuid.uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    return server.replace("postgresql://", "postgresql+psycopg://") + f"/{name}"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    opened = Database(url, patience=1.0)
    yield opened
    opened.close()


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Blobs]:
    opened = Blobs(tmp_path / "blobs")
    yield opened
    opened.close()


@pytest.fixture
def ledger(database: Database, archive: Blobs) -> DatabaseLedger:
    return DatabaseLedger(database, archive)
