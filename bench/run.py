"""CPU per message through the whole of `serve` with the example policy, to a sink on loopback.

Starts smtp-sink (Debian's postfix package), a `mailguard serve` of its own with a temporary state
directory, and `load.py`; reads the server's CPU time, children included, before and after.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
from tests.support.nameserver import nameserver  # noqa: E402 - the tests are no installed package

BARS = {"html12k": 2.5, "attach2m": 40.0}  # ms CPU a message


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def cpu_seconds(pid: int) -> float:
    """User and system time of a process and all below it, the ended ones included."""
    ticks = 0
    waiting = [pid]
    while waiting:
        one = waiting.pop()
        fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
        ticks += sum(int(f) for f in fields[11:15])
        for task in Path(f"/proc/{one}/task").iterdir():
            waiting += [int(c) for c in (task / "children").read_text().split()]
    return ticks / os.sysconf("SC_CLK_TCK")


def configured(directory: Path, next_hop: int) -> tuple[int, int]:
    """The example configuration with loopback ports of this run; the mx and HTTP ports."""
    shutil.copytree(HERE.parent / "config", directory, dirs_exist_ok=True)
    mx, http = free_port(), free_port()
    path = directory / "mailguard.yaml"
    text = path.read_text()
    ports = {"127.0.0.1:2525": mx, "127.0.0.1:2600": next_hop, "127.0.0.1:8025": http}
    for written in set(re.findall(r"127\.0\.0\.1:\d+", text)):
        text = text.replace(written, f"127.0.0.1:{ports.get(written) or free_port()}")
    path.write_text(text + f"\ndns:\n  servers: ['{nameserver()}']\n")
    return mx, http


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        if process.poll() is not None:
            sys.exit(f"it ended with {process.returncode} instead of listening on {port}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return
        except OSError:
            time.sleep(0.1)
    sys.exit(f"nothing listens on {port}")


def measure(kind: str, mx: int, pid: int, messages: int, sessions: int, seed: int) -> dict:
    before = cpu_seconds(pid)
    load = subprocess.run(
        [
            sys.executable,
            HERE / "load.py",
            f"--port={mx}",
            f"--kind={kind}",
            f"--messages={messages}",
            f"--sessions={sessions}",
            f"--seed={seed}",
        ],
        check=True,
        capture_output=True,
        timeout=300,
    )
    answer = json.loads(load.stdout)
    answer["cpu_ms"] = round((cpu_seconds(pid) - before) * 1000 / answer["messages"], 3)
    return answer


def stages(http: int) -> dict[str, float]:
    """Mean wall milliseconds of each stage, from the server's own metrics."""
    text = urllib.request.urlopen(f"http://127.0.0.1:{http}/metrics", timeout=5).read().decode()
    total = dict(re.findall(r'mailguard_stage_seconds_sum\{stage="(\w+)"\} (\S+)', text))
    count = dict(re.findall(r'mailguard_stage_seconds_count\{stage="(\w+)"\} (\S+)', text))
    return {s: round(1000 * float(total[s]) / float(count[s]), 3) for s in total if float(count[s])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--messages", type=int, default=1500)
    parser.add_argument("--large", type=int, default=60, help="messages of 2 MB a round")
    parser.add_argument(
        "--keep-running", type=float, default=0, help="seconds, to attach a profiler"
    )
    arguments = parser.parse_args()
    if shutil.which("smtp-sink") is None:
        sys.exit("smtp-sink is missing; install it with: apt-get install postfix")
    with tempfile.TemporaryDirectory() as scratch:
        sink_port = free_port()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        sink = subprocess.Popen(["smtp-sink", *user, f"127.0.0.1:{sink_port}", "1000"])
        mx, http = configured(Path(scratch) / "config", sink_port)
        log = (Path(scratch) / "log").open("wb")
        server = subprocess.Popen(
            [
                Path(sys.executable).with_name("mailguard"),
                "serve",
                "--config",
                Path(scratch) / "config",
            ],
            stderr=log,
        )
        try:
            wait_for(sink_port, sink)
            wait_for(mx, server)
            measure("html12k", mx, server.pid, 300, 10, 0)  # warm
            for kind, messages, sessions in (
                ("html12k", arguments.messages, 10),
                ("attach2m", arguments.large, 4),
            ):
                runs = [
                    measure(kind, mx, server.pid, messages, sessions, seed)
                    for seed in range(1, arguments.rounds + 1)
                ]
                median = sorted(run["cpu_ms"] for run in runs)[len(runs) // 2]
                verdict = "within" if median <= BARS[kind] else "OVER"
                print(
                    f"{kind}: {median:.2f} ms CPU a message ({verdict} the bar of {BARS[kind]:g})"
                )
                for run in runs:
                    print("   ", json.dumps(run))
                if kind == "html12k":
                    print("    mean wall ms by stage:", json.dumps(stages(http)))
            if arguments.keep_running:
                print(f"serve runs as {server.pid}, mx on {mx}")
                time.sleep(arguments.keep_running)
        finally:
            server.terminate()
            sink.terminate()
            server.wait(60)
            sink.wait(10)


if __name__ == "__main__":
    main()
