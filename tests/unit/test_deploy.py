"""What is delivered for installing: image, unit, Postfix fragments, alerts, dashboard, and that the
documents name only what exists."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import smtplib
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from tests.peers import require
from tests.postfix import free_port

from mailguard import metrics
from mailguard.config.schema import Limits, NextHopSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


# -- the image --------------------------------------------------------------------------------------


def instructions(text: str) -> list[tuple[str, str]]:
    """A Dockerfile's instructions and arguments: comments off, continued lines joined."""
    lines = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    joined = lines.replace("\\\n", " ")
    return [
        (word.upper(), " ".join(rest.split()))
        for word, _, rest in (line.strip().partition(" ") for line in joined.splitlines())
        if word
    ]


def lint(text: str) -> list[str]:
    """What is wrong with a Dockerfile, by our rules (after hadolint's)."""
    found = instructions(text)
    stages = [at for at, (word, _) in enumerate(found) if word == "FROM"]
    final = found[stages[-1] :]
    arguments = dict(rest.split("=", 1) for word, rest in found if word == "ARG" and "=" in rest)
    wrong = []
    for word, rest in found:
        if word == "FROM":
            image = re.sub(r"\$\{(\w+)\}", lambda m: arguments.get(m[1], ""), rest.split()[0])
            tag = image.rpartition("/")[2].partition(":")[2]
            if not tag or tag == "latest":
                wrong.append(f"base not pinned: {image}")
        if word == "ADD":
            wrong.append("ADD: COPY says what it does")
        if word in ("ENV", "ARG") and re.search(r"(?i)passw|secret|token|api_?key", rest):
            wrong.append(f"a secret in the image: {rest}")
        if word == "RUN" and "apt-get install" in rest:
            if "rm -rf /var/lib/apt/lists" not in rest:
                wrong.append("apt lists stay in the layer")
            if "--no-install-recommends" not in rest:
                wrong.append("apt recommends")
        if word == "RUN" and re.search(r"\b(sudo|curl|wget)\b", rest):
            wrong.append(f"unchecked download or sudo: {rest}")
        if word == "RUN" and re.search(
            r"pip [^&|]*install(?![^&|]*(--require-hashes|--no-deps))", rest
        ):
            wrong.append(f"pip without hashes: {rest}")
        if word in ("CMD", "ENTRYPOINT") and not rest.startswith("["):
            wrong.append(f"{word} by a shell: signals would not arrive")
    users = [rest for word, rest in final if word == "USER"]
    if not users or users[-1].partition(":")[0] in ("root", "0"):
        wrong.append("runs as root")
    words = [word for word, _ in final]
    wrong += [f"no {word}" for word in ("HEALTHCHECK", "ENTRYPOINT", "LABEL") if word not in words]
    return wrong


def test_dockerfile_keeps_the_rules() -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert lint(text) == []
    assert re.search(r"^USER \d+:\d+$", text, re.M), "a number, which Kubernetes can verify"


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ("ARG BASE=python:3.13-slim-bookworm", "ARG BASE=python:latest", "base not pinned"),
        ("ARG BASE=python:3.13-slim-bookworm", "ARG BASE=python", "base not pinned"),
        ("USER 10025:10025", "", "runs as root"),
        ("USER 10025:10025", "USER root", "runs as root"),
        ("COPY src src", "ADD src src", "ADD"),
        (" --require-hashes -r requirements.lock", " -r requirements.lock", "without hashes"),
        ('ENTRYPOINT ["mailguard"]', "ENTRYPOINT mailguard", "by a shell"),
        ("COPY src src", "RUN apt-get install -y gcc", "apt lists"),
        ("COPY src src", "ENV SMTP_PASSWORD=abc", "secret"),
        ("HEALTHCHECK", "ONBUILD", "no HEALTHCHECK"),
    ],
)
def test_lint_can_complain(before: str, after: str, complaint: str) -> None:
    text = (ROOT / "Dockerfile").read_text()
    assert before in text
    assert any(complaint in wrong for wrong in lint(text.replace(before, after)))


def test_what_is_copied_is_in_the_build_context() -> None:
    kept = {
        line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    assert (ROOT / ".dockerignore").read_text().splitlines()[1] == "*", "nothing by default"
    for word, rest in instructions((ROOT / "Dockerfile").read_text()):
        if word == "COPY" and not rest.startswith("--from"):
            *sources, _ = rest.split()
            for source in sources:
                assert (ROOT / source).exists(), source
                assert source in kept, source


def test_healthcheck_tells_health() -> None:
    """The very command of the image, against a server of ours that is well and then is not."""
    check = next(
        rest
        for word, rest in instructions((ROOT / "Dockerfile").read_text())
        if word == "HEALTHCHECK"
    )
    command = json.loads(check[check.index("[") :])
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        program = [
            require("python3", "python3"),
            *command[1:2],
            command[2].replace("8025", str(port)),
        ]
        for status, code in ((b"200 OK", 0), (b"503 Service Unavailable", 1)):
            running = subprocess.Popen(program, stderr=subprocess.DEVNULL)
            server.settimeout(10)
            client, _ = server.accept()
            with client:
                assert client.recv(1000).startswith(b"GET /healthz ")
                client.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
            assert (running.wait(10) == 0) == (code == 0)
    assert subprocess.run(program, stderr=subprocess.DEVNULL, timeout=10).returncode != 0


def test_every_hash_is_there() -> None:
    """`--require-hashes` refuses a line without one only when the image is built."""
    for name in ("requirements.lock", "deploy/build.lock"):
        for requirement in re.split(r"\n(?=\S)", (ROOT / name).read_text()):
            if not requirement.startswith("#"):
                assert "==" in requirement and "--hash=sha256:" in requirement, requirement[:60]


def test_compose_gives_nothing_away() -> None:
    service = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]["mailguard"]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert int(service["stop_grace_period"].removesuffix("s")) > Limits().drain
    assert any(v.endswith(":/etc/mailguard:ro") for v in service["volumes"])


# -- the unit ---------------------------------------------------------------------------------------


def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd minds the case
    parser.read_string((DEPLOY / "mailguard.service").read_text())
    return parser


def test_unit_outlasts_the_drain_and_stays_down_when_misconfigured() -> None:
    service = unit()["Service"]
    assert float(service["TimeoutStopSec"].removesuffix("s")) > Limits().drain
    assert service["RestartPreventExitStatus"] == "2"
    assert service["Restart"] == "on-failure"
    assert int(service["LimitNOFILE"]) > 4 * Limits().connections
    assert service["User"] not in ("", "root")


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    analyze = require("systemd-analyze", "systemd")
    program = shutil.which("true")
    assert program
    text = (DEPLOY / "mailguard.service").read_text()
    unit_file = tmp_path / "mailguard.service"
    unit_file.write_text(text.replace("/opt/mailguard/bin/mailguard", program))
    drop_in = tmp_path / "mailguard.service.d" / "low-ports.conf"
    drop_in.parent.mkdir()
    drop_in.write_text((DEPLOY / "low-ports.conf").read_text())
    for with_low_ports in (True, False):
        if not with_low_ports:
            drop_in.unlink()
        answer = run(analyze, "verify", str(unit_file))
        assert (answer.returncode, answer.stdout + answer.stderr) == (0, "")


def test_systemd_finds_little_exposure(tmp_path: Path) -> None:
    analyze = require("systemd-analyze", "systemd")
    both = tmp_path / "mailguard.service"
    both.write_text(
        (DEPLOY / "mailguard.service").read_text() + (DEPLOY / "low-ports.conf").read_text()
    )
    for path in (DEPLOY / "mailguard.service", both):
        answer = run(analyze, "security", "--offline=yes", "--no-pager", str(path))
        found = re.search(r"Overall exposure level for \S+: ([\d.]+)", answer.stdout)
        assert found, answer.stderr
        assert float(found[1]) <= 2.0


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, capture_output=True, text=True, timeout=30, env={**os.environ, "LC_ALL": "C.UTF-8"}
    )


# -- Postfix ----------------------------------------------------------------------------------------


def parameters() -> dict[str, str]:
    """main.cf's settings; it has no continued lines."""
    lines = (DEPLOY / "postfix" / "main.cf").read_text().splitlines()
    pairs = (line.split("=", 1) for line in lines if line and line[0] not in "# ")
    return {name.strip(): value.strip() for name, value in pairs}


def services(text: str) -> dict[tuple[str, str], str]:
    """master.cf's entries by (name, type), continued lines included."""
    entries: dict[tuple[str, str], str] = {}
    key = ("", "")
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            entries[key] += f"\n{line}"
        else:
            name, kind, *_ = line.split()
            key = (name, kind)
            entries[key] = line
    return entries


class Installed:
    """A copy of /etc/postfix as an administrator would have it after following the fragments."""

    def __init__(self, root: Path) -> None:
        self.port = free_port()
        self.configuration = root / "etc"
        self.queue = root / "spool"
        self.log = root / "maillog"
        for directory in (self.configuration, self.queue, root / "data"):
            directory.mkdir()
        (self.configuration / "people").write_text("amy@example.org amy\n")
        shutil.copy("/etc/postfix/postfix-files", self.configuration)
        overridden = {
            **parameters(),
            "queue_directory": str(self.queue),
            "data_directory": str(root / "data"),
            "maillog_file": str(self.log),
            "maillog_file_prefixes": str(root),
            "inet_interfaces": "127.0.0.1",  # containers without IPv6
            "mynetworks": "127.0.0.0/8",
            "inet_protocols": "ipv4",
            "local_recipient_maps": f"texthash:{self.configuration}/people",
            "alias_maps": "",
            "alias_database": "",
            "local_transport": "discard:",
            "default_transport": "discard:",
            "smtpd_peername_lookup": "no",
        }
        (self.configuration / "main.cf").write_text(
            "".join(f"{name} = {value}\n" for name, value in overridden.items())
        )
        stock = services(Path("/usr/share/postfix/master.cf.dist").read_text())
        for name in ("smtp", "submission", "submissions", "smtps"):
            stock.pop((name, "inet"), None)
        ours = services((DEPLOY / "postfix" / "master.cf").read_text())
        entries = "\n".join({**stock, **ours}.values())
        entries = entries.replace("127.0.0.1:2600", f"127.0.0.1:{self.port}")
        # Not in a chroot: this queue directory has no /etc of its own.
        entries = re.sub(r"^(\S+\s+\S+\s+\S+\s+\S+\s+)y ", r"\1n ", entries, flags=re.M)
        (self.configuration / "master.cf").write_text(entries + "\n")


@pytest.fixture(scope="module")
def installed() -> Iterator[Installed]:
    require("postfix", "postfix")
    if os.geteuid() != 0:
        pytest.skip("a Postfix of one's own needs root; run with: sudo make test")
    root = Path(tempfile.mkdtemp(prefix="deploy-postfix-"))  # postfix must be able to look in
    root.chmod(0o755)
    shutil.chown(_made(root / "placeholder"), "postfix")
    (root / "placeholder").rmdir()
    copy = Installed(root)
    shutil.chown(root / "data", "postfix")
    yield copy
    shutil.rmtree(root)


def _made(directory: Path) -> Path:
    directory.mkdir()
    return directory


@pytest.fixture(scope="module")
def running(installed: Installed) -> Iterator[Installed]:
    program = require("postfix", "postfix")
    server = subprocess.Popen(
        [program, "-c", str(installed.configuration), "start-fg"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    end = time.monotonic() + 15
    while True:
        try:
            socket.create_connection(("127.0.0.1", installed.port), 1).close()
            break
        except OSError:
            log = installed.log.read_text() if installed.log.exists() else ""
            assert server.poll() is None and time.monotonic() < end, log
            time.sleep(0.05)
    yield installed
    run(program, "-c", str(installed.configuration), "stop")
    server.wait(10)


@pytest.mark.peer
def test_postfix_knows_every_parameter(installed: Installed) -> None:
    postconf = require("postconf", "postfix")
    for arguments in (("-n",), ("-M",), ("-P",), ("-Mf",)):
        answer = run(postconf, "-c", str(installed.configuration), *arguments)
        assert (answer.returncode, answer.stderr) == (0, ""), answer.stderr
    for name in parameters():
        known = run(postconf, "-d", name)
        assert known.stderr == "" and known.stdout.startswith(name), name


@pytest.mark.peer
def test_commented_parameters_are_known_too() -> None:
    postconf = require("postconf", "postfix")
    text = (DEPLOY / "postfix" / "main.cf").read_text()
    commented = re.findall(r"^#(\w+) = ", text, re.M)
    assert "smtpd_milters" in commented
    for name in commented:
        assert run(postconf, "-d", name).stderr == "", name


@pytest.mark.peer
def test_postfix_check_passes(installed: Installed) -> None:
    postfix = require("postfix", "postfix")
    answer = run(postfix, "-c", str(installed.configuration), "check")
    assert answer.returncode == 0, answer.stderr
    wrong = [line for line in answer.stderr.splitlines() if "not owned by" not in line]
    assert wrong == []


@pytest.mark.peer
def test_mailguard_is_taken_for_the_one_trusted_client(running: Installed) -> None:
    with smtplib.SMTP("127.0.0.1", running.port, timeout=10) as client:
        client.ehlo("mailguard.example.org")
        assert client.has_extn("xforward")
        assert not client.has_extn("xclient")
        assert client.esmtp_features["size"] == parameters()["message_size_limit"]
        assert client.docmd("XFORWARD ADDR=192.0.2.7 HELO=mx.example.net")[0] == 250
        for recipient in ("amy@example.org", "somebody@example.net"):
            refused = client.sendmail(
                "bob@example.org", [recipient], b"Subject: hello\r\n\r\nhello\r\n"
            )
            assert refused == {}
    assert "client=mx.example.net[192.0.2.7]" in running.log.read_text().replace(
        "unknown", "mx.example.net"
    )


@pytest.mark.peer
def test_a_hundred_unknown_users_do_not_end_the_connection(running: Installed) -> None:
    """Verification at RCPT asks for many that do not exist, over kept connections; Postfix's
    defaults would slow it down and hang up after 20."""
    began = time.monotonic()
    with smtplib.SMTP("127.0.0.1", running.port, timeout=10) as client:
        client.ehlo("mailguard.example.org")
        for number in range(150):
            assert client.mail("")[0] == 250
            assert client.rcpt(f"nobody{number}@example.org")[0] == 550
            assert client.rset()[0] == 250
        assert client.mail("")[0] == 250
        assert client.rcpt("amy@example.org")[0] == 250
    assert time.monotonic() - began < 5


@pytest.mark.peer
def test_bare_newlines_are_refused_from_mailguard_too(running: Installed) -> None:
    with smtplib.SMTP("127.0.0.1", running.port, timeout=10) as client:
        client.ehlo("mailguard.example.org")
        client.mail("bob@example.org")
        client.rcpt("amy@example.org")
        assert client.docmd("DATA")[0] == 354
        client.send(b"Subject: one\r\n\r\nx\n.\r\nMAIL FROM:<>\r\n.\r\n")
        assert client.getreply()[0] == 550


def test_limits_fit_together() -> None:
    postfix = parameters()
    assert int(postfix["message_size_limit"]) > Limits().message_size
    assert int(postfix["smtpd_recipient_limit"]) >= Limits().recipients
    assert int(postfix["hopcount_limit"]) >= Limits().received_fields
    idle = NextHopSettings.model_fields["idle"].default
    assert float(postfix["smtpd_timeout"].removesuffix("s")) > idle


def test_mail_does_not_go_round_in_circles() -> None:
    """What comes from mailguard is not handed to it again, and only local programs' mail is."""
    postfix = parameters()
    assert postfix["relayhost"] == ""
    assert "content_filter" not in postfix, "it would hold for mailguard's door too"
    entries = services((DEPLOY / "postfix" / "master.cf").read_text())
    assert "-o content_filter=\n" in entries["127.0.0.1:2600", "inet"]
    filtered = [key for key, entry in entries.items() if "content_filter=mailguard:" in entry]
    assert filtered == [("pickup", "unix")]


def test_postfix_is_no_open_relay() -> None:
    postfix = parameters()
    assert postfix["inet_interfaces"] == "loopback-only"
    for name in ("smtpd_client_restrictions", "smtpd_relay_restrictions"):
        assert postfix[name] == "permit_mynetworks, reject"
    for name in ("mynetworks", "smtpd_authorized_xforward_hosts"):
        assert set(postfix[name].split()) == {"127.0.0.0/8", "[::1]/128"}
    assert postfix["smtpd_authorized_xclient_hosts"] == ""


# -- Prometheus -------------------------------------------------------------------------------------


def labels_by_series() -> dict[str, set[str]]:
    """Every series that /metrics may show, with its labels."""
    known: dict[str, set[str]] = {}
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            labels = set(metric._labelnames)
            family = metric.describe()[0]
            if family.type == "counter":
                known[f"{family.name}_total"] = labels
            elif family.type == "histogram":
                for suffix in ("_bucket", "_sum", "_count"):
                    known[family.name + suffix] = labels | (
                        {"le"} if suffix == "_bucket" else set()
                    )
            else:
                known[family.name] = labels
    return known


def wrong_in(expression: str) -> list[str]:
    """Series, and labels in selectors and groupings, that mailguard does not have."""
    known = labels_by_series()
    wrong = []
    offered = {"instance", "job"}
    for name, _, selectors in re.findall(r"(mailguard_\w+)(\{([^}]*)\})?", expression):
        if name not in known:
            wrong.append(name)
            continue
        offered |= known[name]
        for label in re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors):
            if label not in known[name] | {"instance", "job"}:
                wrong.append(f"{name}{{{label}}}")
    for grouping in re.findall(r"\bby \(([^)]*)\)", expression):
        wrong += [label.strip() for label in grouping.split(",") if label.strip() not in offered]
    return wrong


def rules() -> list[dict[str, object]]:
    groups = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def panels() -> list[dict[str, object]]:
    return json.loads((DEPLOY / "prometheus" / "dashboard.json").read_text())["panels"]


def test_alerts_look_at_what_exists() -> None:
    assert rules()
    for rule in rules():
        assert wrong_in(str(rule["expr"])) == [], rule["alert"]


def test_dashboard_shows_what_exists() -> None:
    for panel in panels():
        for target in panel["targets"]:  # type: ignore[attr-defined]
            assert wrong_in(target["expr"]) == [], panel["title"]
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "expression",
    [
        "mailguard_mesages_total",
        'mailguard_messages_total{verdict="x"}',
        "sum by (kind) (mailguard_messages_total)",
        "mailguard_stage_seconds",
    ],
)
def test_what_does_not_exist_is_noticed(expression: str) -> None:
    assert wrong_in(expression)


def test_every_metric_is_watched_or_shown() -> None:
    watched = " ".join(str(rule["expr"]) for rule in rules())
    watched += " ".join(
        target["expr"]
        for panel in panels()
        for target in panel["targets"]  # type: ignore[attr-defined]
    )
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            assert metric.describe()[0].name in watched


def test_operations_explains_every_alert_and_metric() -> None:
    text = (ROOT / "docs" / "operations.md").read_text()
    for rule in rules():
        assert f"### {rule['alert']}\n" in text, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")  # type: ignore[index]
    assert set(re.findall(r"^### (Mailguard\w+)$", text, re.M)) == {r["alert"] for r in rules()}
    for name in labels_by_series():
        stem = re.sub(r"_(bucket|sum|count)$", "", name)
        assert f"`{stem}`" in text, stem


# -- the documents ----------------------------------------------------------------------------------

DOCUMENTS = (
    ROOT / "docs" / "install.md",
    ROOT / "docs" / "operations.md",
    ROOT / "docs" / "threat-model.md",
    DEPLOY / "exchange.md",
)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_files_that_documents_name_exist(document: Path) -> None:
    text = document.read_text()
    for name in re.findall(r"`((?:deploy|docs|tests|src)/[\w./-]+)`", text):
        assert (ROOT / name).exists(), name
    for name in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (document.parent / name).exists(), name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_yaml_in_documents_is_what_the_schema_takes(document: Path) -> None:
    """Every fenced piece of mailguard.yaml names settings that exist."""
    from mailguard.config.schema import Settings

    for piece in re.findall(r"^```yaml\n(.*?)^```", document.read_text(), re.M | re.S):
        written = yaml.safe_load(piece)
        if set(written) <= {"steps", "scrape_configs", "rule_files"}:
            continue
        for section, value in written.items():
            field = Settings.model_fields[section]
            models = [value] if isinstance(value, dict) else []
            if section == "listeners":
                models = value
            for model in models:
                annotation = field.annotation
                if section == "listeners":
                    from mailguard.config.schema import ListenerSettings as annotation  # noqa: N813 - stands for the annotation
                assert set(model) <= set(annotation.model_fields), (section, model)  # type: ignore[union-attr]


def test_licence_is_what_pyproject_says() -> None:
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0, January 2004" in text
