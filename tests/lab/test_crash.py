"""A run that is killed in the middle of a role: whatever is left, the next run converges."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from tests.lab.conftest import RunningLab, fresh_spares
from tests.lab.far import Far
from tests.lab.hub_faults import hub_faults
from tests.lab.runs import Run, run, run_killed_at, spares

pytestmark = pytest.mark.lab

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


@dataclass(frozen=True)
class Killed:
    """What a kill met: whether the role had begun, whether it had ended; or why there was none."""

    begun: bool = False
    ended: bool = False
    missed: str | None = None


@dataclass(frozen=True)
class Crashed:
    """What each kill met, by role, and the runs after all of them."""

    killed: dict[str, Killed]
    mended: Run
    again: Run


def spare_of(crash: Crash) -> str:
    return f"crash{crash.role}"


def bring_weights(lab: RunningLab) -> None:
    """The model disks are of a host that served before; the one that is to fetch has an empty one.

    Times stay, since the stamp beside the weights tells them.
    """
    served = lab.host_directory("ryzen") / "models"
    for crash in CRASHES:
        disk = lab.host_directory(spare_of(crash)) / "models"
        for left in disk.iterdir():
            shutil.rmtree(left)
        if crash.role != "models":
            shutil.copytree(served, disk, dirs_exist_ok=True)


@pytest.fixture(scope="module")
def crashed(
    lab: RunningLab, converged: Run, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Crashed]:
    """A fresh host for each role, each with a run of its own that is killed; then one for all."""

    def inventory(*crashes: Crash) -> str:
        directory = tmp_path_factory.mktemp("crash")
        return spares(lab, directory, {spare_of(crash): {} for crash in crashes}, like="ryzen")

    def kill(crash: Crash) -> Killed:
        far = Far(lab, spare_of(crash))
        try:
            begun = run_killed_at(
                lab, crash.marker, inventory(crash), lambda: far.run(crash.begun).returncode == 0
            )
        except AssertionError as error:  # the role's own test says so, and no other
            return Killed(missed=str(error))
        return Killed(begun, far.run(crash.ended).returncode == 0)

    roles = [crash.role for crash in CRASHES]
    with fresh_spares(lab, [spare_of(crash) for crash in CRASHES], to_serve=True):
        bring_weights(lab)
        slow = hub_faults(lab, {"tiny-moe": {"rate": SLOW_BYTES_S}})
        with slow, ThreadPoolExecutor(max_workers=len(CRASHES)) as pool:
            killed = dict(zip(roles, pool.map(kill, CRASHES), strict=True))
        everyone = inventory(*CRASHES)
        mended = run(lab, everyone)
        yield Crashed(killed, mended, run(lab, everyone))


@pytest.mark.parametrize("crash", CRASHES, ids=lambda crash: crash.role)
def test_a_run_killed_in_the_middle_of_a_role_is_mended_by_the_next(
    lab: RunningLab, crashed: Crashed, crash: Crash
) -> None:
    killed = crashed.killed[crash.role]
    assert killed.missed is None, killed.missed
    assert killed.begun, "the role had not begun"
    assert not killed.ended, "the role had ended"

    far, mended = Far(lab, spare_of(crash)), crashed.mended
    assert (mended.code, mended.failed) == (0, set()), mended.log[-6000:]
    assert mended.changed(far.name)
    assert far.run(crash.ended).returncode == 0
    assert far.said("systemctl is-active llama-server.service") == "active"
    assert far.run("find /srv/models /opt/llama.cpp -name '*.part' | grep .").returncode != 0


def test_the_run_after_that_changes_nothing(crashed: Crashed) -> None:
    assert (crashed.again.totals["success"], crashed.again.totals["error"]) == (0, 0)
    assert crashed.again.code == 0
