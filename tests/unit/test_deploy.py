"""What is delivered for installing: image, unit, Postfix fragments, alerts, dashboard, and that the
documents name only what exists."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.metrics import MetricWrapperBase
from tests.support.peers import require
from tests.support.waiting import PATIENCE

from mailguard import metrics
from mailguard.config.settings.schema import ListenerSettings, SessionLimits, Settings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"


# -- the image ------------------------------------------------------------------------------------


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
            r"pip [^&|]*install(?![^&|]*(--require-hashes|--no-deps))"
            r"|pip (?![^&|]*--require-hashes)[^&|]* -r ",  # wheels are fetched as well
            rest,
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
            server.settimeout(PATIENCE)
            client, _ = server.accept()
            with client:
                assert client.recv(1000).startswith(b"GET /healthz ")
                client.sendall(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\n\r\n")
            assert (running.wait(PATIENCE) == 0) == (code == 0)
    assert subprocess.run(program, stderr=subprocess.DEVNULL, timeout=PATIENCE).returncode != 0


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
    assert int(service["stop_grace_period"].removesuffix("s")) > SessionLimits().drain
    assert any(v.endswith(":/etc/mailguard:ro") for v in service["volumes"])


# -- the unit -------------------------------------------------------------------------------------


def unit() -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd minds the case
    parser.read_string((DEPLOY / "mailguard.service").read_text())
    return parser


def test_unit_outlasts_the_drain_and_stays_down_when_misconfigured() -> None:
    service = unit()["Service"]
    assert float(service["TimeoutStopSec"].removesuffix("s")) > SessionLimits().drain
    assert service["RestartPreventExitStatus"] == "2"
    assert service["Restart"] == "on-failure"
    assert int(service["LimitNOFILE"]) > 4 * SessionLimits().connections
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
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
    )


# -- Prometheus -----------------------------------------------------------------------------------


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
        selected = re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", selectors)
        wrong += [f"{name}{{{s}}}" for s in selected if s not in known[name] | {"instance", "job"}]
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


# -- the documents --------------------------------------------------------------------------------

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
def test_settings_that_documents_show_exist(document: Path) -> None:
    """Every fenced piece of mailguard.yaml names sections and settings of the schema."""
    for piece in re.findall(r"^```yaml\n(.*?)^```", document.read_text(), re.M | re.S):
        written = yaml.safe_load(piece)
        if set(written) & {"steps", "scrape_configs"}:
            continue  # policy.yaml, prometheus.yml
        assert set(written) <= set(Settings.model_fields)
        for listener in written.pop("listeners", ()):
            assert ListenerSettings.model_validate(listener)
        for section, value in written.items():
            model = Settings.model_fields[section].annotation
            assert model is not None and model.model_validate(value), section


def test_licence_is_what_pyproject_says() -> None:
    assert 'license = "Apache-2.0"' in (ROOT / "pyproject.toml").read_text()
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text and "Version 2.0, January 2004" in text
