"""What the real server counts of its own memory, and says of itself, against the plan."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.lab.conftest import RunningLab
from tests.lab.far import Far, key_of
from tests.lab.runs import DEMO, ROOT, Run, environment

pytestmark = pytest.mark.lab

TWO_DEVICES = "xeon"
CLOSE_MIB = 64
# A second server beside the service's own: the same arguments, with its memory told at its end.
# It alone is interrupted, and once: a second SIGINT, as `timeout` passes one on, ends it unsaid.
SECOND_SERVER = """\
cd /
env=$(tr '\\0' '\\n' <"/proc/$(systemctl show -P MainPID llama-server.service)/environ" |
    grep -E '^(GGML|MESA)_')
timeout 240 runuser -u llama -- env $env {binary} {arguments} --log-jsonl >/tmp/second.log 2>&1 &
for turn in $(seq 400); do
    ! curl --silent --fail --noproxy '*' http://127.0.0.1:8999/health >/dev/null || break
    kill -0 $! || break
    sleep 0.5
done
pkill -INT -f -- '^[^ ]*/(ld-linux|llama-server)[^ ]* .*--port 8999' || true
wait $!
grep -h fit_memory_breakdown /tmp/second.log || {{ tail -n 40 /tmp/second.log; exit 1; }}
"""


@pytest.fixture(scope="module")
def planned(lab: RunningLab, converged: Run) -> dict[str, Any]:
    """The plan of the two-device host, as the documented command prints it."""
    done = subprocess.run(
        [sys.executable, "-m", "boxwright.cli.main", "plan", DEMO, "--json"],
        cwd=ROOT, env=environment(lab), capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    plan: dict[str, Any] = json.loads(done.stdout)["hosts"][TWO_DEVICES]
    return plan


def counted(plan: dict[str, Any]) -> int:
    """What llama.cpp counts of a device or the host, by the plan."""
    return sum(int(plan[part]) for part in ("model_mib", "context_mib", "compute_mib"))


def test_the_server_counts_what_the_plan_says_on_both_devices(
    lab: RunningLab, planned: dict[str, Any]
) -> None:
    arguments = list(planned["server"]["args"])
    for flag, value in (("--port", "8999"), ("--host", "127.0.0.1"), ("--load-mode", "none")):
        arguments[arguments.index(flag) + 1] = value
    script = SECOND_SERVER.format(
        binary="/opt/llama.cpp/current/llama-server", arguments=shlex.join(arguments)
    )
    told = json.loads(Far(lab, TWO_DEVICES).said(script, 300).splitlines()[-1])
    assert told["data"]["unit"] == "MiB"
    rows = {row["name"]: row["self"] for row in told["data"]["rows"]}
    devices = planned["memory"]["devices"]
    assert sorted(rows) == ["Host", "Vulkan0", "Vulkan1"] and len(devices) == 2
    for number, device in enumerate(devices):
        assert abs(rows[f"Vulkan{number}"] - counted(device)) <= CLOSE_MIB, (rows, device)
    assert abs(rows["Host"] - counted(planned["memory"]["host"])) <= CLOSE_MIB, rows


def test_the_server_says_of_itself_what_was_planned(
    lab: RunningLab, planned: dict[str, Any]
) -> None:
    far = Far(lab, TWO_DEVICES)
    answer = httpx.get(
        f"{far.base_url}/props",
        headers={"Authorization": f"Bearer {key_of(lab)}"},
        timeout=30, trust_env=False,
    )  # fmt: skip
    said, args = answer.json(), planned["server"]["args"]
    assert said["default_generation_settings"]["n_ctx"] == int(args[args.index("--ctx-size") + 1])
    assert said["total_slots"] == int(args[args.index("--parallel") + 1])
    assert said["model_path"] == args[args.index("--model") + 1]
    assert said["model_alias"] == args[args.index("--alias") + 1]
