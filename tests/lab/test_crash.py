"""A run that is killed in the middle of a role: whatever is left, the next run converges."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.far import Far
from tests.lab.hub_faults import hub_faults
from tests.lab.runs import Run, run, run_killed_at, variant

pytestmark = pytest.mark.lab

HOST = "ryzen"
FEW_TOKENS = {"server_decode_tokens": 4}  # a speed is measured, and is not what matters here
SLOW_BYTES_S = 4_000_000  # the 83 MB of the model then take 20 s


@dataclass(frozen=True)
class Crash:
    """When to kill the run, and what on the host shows that the role had begun and not ended.

    `marker` is searched in pyinfra's log of the commands it is about to send. `begun` succeeds on
    the host once that one was sent, and then the run is killed; `ended` fails after that.
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
        'test "$(sysctl -n vm.swappiness)" = 10',
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
        "systemctl show -P ActiveState llama-server.service | grep -Ex 'activating|active'",
        "test -s /var/lib/boxwright/decode.jsonl",
    ),
]


@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: crash.role)
def test_a_run_killed_in_the_middle_of_a_role_is_mended_by_the_next(
    lab: RunningLab,
    converged: Run,
    reset_host: Callable[[str], None],
    tmp_path: Path,
    crash: Crash,
) -> None:
    far = Far(lab, HOST)
    if crash.role == "models":
        far.said("systemctl stop llama-server.service; rm -rf /srv/models/*")
    reset_host(HOST)
    inventory = variant(tmp_path, {HOST: FEW_TOKENS}, [HOST])
    slow = hub_faults(lab, {"tiny-moe": {"rate": SLOW_BYTES_S}})
    with slow if crash.role == "models" else nullcontext():
        begun = run_killed_at(
            lab, crash.marker, inventory, lambda: far.run(crash.begun).returncode == 0
        )
        assert begun, "the role had not begun"
        assert far.run(crash.ended).returncode != 0, "the role had ended"

    mended = run(lab, inventory)
    assert mended.code == 0, mended.log[-6000:]
    assert far.run(crash.ended).returncode == 0
    assert far.said("systemctl is-active llama-server.service") == "active"
    assert far.run("find /srv/models /opt/llama.cpp -name '*.part' | grep .").returncode != 0

    again = run(lab, inventory)
    assert (again.totals["success"], again.totals["error"]) == (0, 0)
