"""A run that is killed in the middle of a role: whatever is left, the next run converges."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.far import Far
from tests.lab.runs import Run, run, run_killed_at, variant

pytestmark = pytest.mark.lab

HOST = "ryzen"
BEGUN_WITHIN_S = 20.0
SLOW_BYTES_S = 4_000_000  # the 83 MB of the model then take 20 s


@dataclass(frozen=True)
class Crash:
    """When to kill the run, and what on the host shows that the role had begun and not ended.

    `marker` is searched in pyinfra's log of the commands it sends. `begun` succeeds on the host
    soon after it, and then the run is killed; `ended` fails after that.
    """

    role: str
    marker: str
    begun: str
    ended: str


CRASHES = [
    Crash("base", r"groupadd.*llama", "getent group llama", "test -d /etc/boxwright"),
    Crash(
        "driver",
        r"apt-get install.*nvidia",
        "dpkg-query -W 'nvidia-*' 'libnvidia-*'",
        "test -e /proc/driver/nvidia/version",
    ),
    Crash(
        "runtime",
        r"tar --extract",
        "ls -d /opt/llama.cpp/*.part",
        "test -e /opt/llama.cpp/current",
    ),
    Crash(
        "tuning",
        r"sysctl --quiet -p",
        "test -e /etc/sysctl.d/90-boxwright.conf",
        "test -e /etc/systemd/system/llama-server.service",
    ),
    Crash(
        "models",
        r"boxwright-fetch .*gguf",
        "find /srv/models -name '*.gguf.part' -size +0 | grep .",
        "find /srv/models -name '*.gguf' | grep .",
    ),
    Crash(
        "server",
        r"systemctl restart llama-server",
        "test -e /etc/systemd/system/llama-server.service",
        "test -s /var/lib/boxwright/decode.jsonl",
    ),
]


@pytest.fixture
def slow_hub(lab: RunningLab) -> Callable[[bool], None]:
    """Switch the Hub's transfers of the small model to a slow link, or back."""
    faults: Path = lab.lab.state / "hub-faults.json"

    def switch(slow: bool) -> None:
        if slow:
            repository = lab.document["models"]["tiny-moe"]["repository"]
            faults.write_text(json.dumps({repository: {"rate": SLOW_BYTES_S}}))
        else:
            with suppress(FileNotFoundError):
                faults.unlink()

    return switch


def shows(far: Far, script: str, within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while far.run(script).returncode != 0:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: crash.role)
def test_a_run_killed_in_the_middle_of_a_role_is_mended_by_the_next(
    lab: RunningLab,
    converged: Run,
    reset_host: Callable[[str], None],
    slow_hub: Callable[[bool], None],
    tmp_path: Path,
    crash: Crash,
) -> None:
    far = Far(lab, HOST)
    if crash.role == "models":
        far.said("systemctl stop llama-server.service; rm -rf /srv/models/*")
    reset_host(HOST)
    inventory = variant(tmp_path, {}, [HOST])
    slow_hub(crash.role == "models")
    try:
        begun = run_killed_at(
            lab, crash.marker, inventory, lambda: shows(far, crash.begun, BEGUN_WITHIN_S)
        )
        assert begun, "the role had not begun"
        assert far.run(crash.ended).returncode != 0, "the role had ended"
    finally:
        slow_hub(False)

    mended = run(lab, inventory)
    assert mended.code == 0, mended.log[-6000:]
    assert far.run(crash.ended).returncode == 0
    assert far.said("systemctl is-active llama-server.service") == "active"
    assert far.run("find /srv/models /opt/llama.cpp -name '*.part' | grep .").returncode != 0

    again = run(lab, inventory)
    assert (again.totals["success"], again.totals["error"]) == (0, 0)
