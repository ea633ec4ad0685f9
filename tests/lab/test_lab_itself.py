"""The lab keeps its word: real tools on the hosts see the pretended hardware, and only that.

Runs in a lab of its own beside the one of the other tests, because it reboots and resets at will.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab import boot, claim, lifecycle, network
from tests.lab.conftest import RunningLab, brought_up, lab_beside, say
from tests.lab.expected import GIB_IN_MIB, expect_xeon, lscpu, settled
from tests.lab.hosts import HOSTS
from tests.lab.settings import Lab
from tests.lab.state import LabError, Record, stop, strays
from tests.lab.world.shaders import shape_of_hosts

pytestmark = pytest.mark.lab

OWN_LAB = lab_beside("itself", 1)


@pytest.fixture(scope="module")
def own() -> Iterator[RunningLab]:
    with brought_up(OWN_LAB) as running:
        yield running


def test_xeon_shows_two_sockets_and_two_cards(own: RunningLab) -> None:
    expect_xeon(own)
    release = own.run("xeon", ". /etc/os-release; echo $ID $VERSION_ID $VERSION_CODENAME")
    assert release == "ubuntu 24.04 noble\n"
    for address, node in (("0000:03:00.0", "0"), ("0000:82:00.0", "1")):
        assert own.run("xeon", f"cat /sys/bus/pci/devices/{address}/numa_node").strip() == node


@pytest.mark.parametrize(
    ("host", "card"), [("ryzen", "10de:2b85"), ("pro6000", "10de:2bb1"), ("plain", None)]
)
def test_other_hosts_show_their_board(own: RunningLab, host: str, card: str | None) -> None:
    pictures = own.run(host, "lspci -nnk -d ::0300")
    assert pictures.count("VGA compatible controller") == (1 if card else 0)
    if card:
        assert f"[{card}]" in pictures
        assert "Kernel driver in use: nouveau" in pictures
        assert "32GT/s, Width x16" in own.run(host, "lspci -vv -d ::0300 | grep LnkSta:")
        cpu = lscpu(own, host)
        assert cpu["Model name"].startswith("AMD Ryzen 9 9950X")
        assert (cpu["Socket(s)"], cpu["Core(s) per socket"]) == ("1", "2")
        total = int(own.run(host, "free -m | awk '/^Mem/{print $2}'"))
        assert 188 * GIB_IN_MIB < total < 192 * GIB_IN_MIB
    else:
        true_total = Path("/proc/meminfo").read_text().split(None, 2)[1]
        shown = own.run(host, "awk '/^MemTotal/{print $2}' /proc/meminfo").strip()
        assert shown == true_total
    assert settled(own, host) == "running"


def test_the_firmware_tells_the_memory_modules(own: RunningLab) -> None:
    """dmidecode is not part of a fresh install; it comes through the lab's proxy as any package."""
    own.run("ryzen", "apt-get -qq update && apt-get -qq install -y dmidecode >/dev/null 2>&1")
    modules = own.run("ryzen", "dmidecode -t 17")
    assert modules.count("Memory Device") == 4
    assert modules.count("Size: 48 GB") == modules.count("Type: DDR5") == 4
    assert modules.count("Configured Memory Speed: 5600 MT/s") == 4
    assert "broken" not in modules.lower()


def test_hosts_with_a_card_have_the_shaders_compiled_for_as_many_cpus(own: RunningLab) -> None:
    """Mesa's keys hold the number of CPUs: with another one each start compiles for minutes."""
    for host in ("xeon", "ryzen", "pro6000"):
        assert own.run(host, "getconf _NPROCESSORS_ONLN") == f"{len(shape_of_hosts().cpus)}\n"
        found = own.run(host, "find /var/cache/mesa-shaders -name mesa_cache.db -size +100k")
        assert found.count("\n") == 1
        assert own.run(host, "stat -c %a /var/cache/mesa-shaders") == "777\n"
    assert own.run("plain", "ls /var/cache").count("mesa-shaders") == 0


def test_logins_are_as_told(own: RunningLab) -> None:
    for spec in HOSTS:
        assert own.run(spec.name, "id -un") == f"{spec.user}\n"
        assert own.run(spec.name, "sudo -n id -u") == "0\n"
        assert own.run(spec.name, "hostname") == f"{spec.name}\n"


def test_a_reboot_is_a_new_boot_of_the_same_machine(own: RunningLab) -> None:
    before = own.boot_id("xeon")
    own.run("xeon", "sudo sh -c 'echo kept >/etc/kept; sysctl -qw vm.swappiness=3'")
    own.reboot("xeon")
    assert own.boot_id("xeon") != before
    assert own.run("xeon", "cat /etc/kept") == "kept\n"
    assert own.run("xeon", "cat /proc/sys/vm/swappiness") != "3\n"
    expect_xeon(own)


def test_what_a_host_sets_stays_in_it(own: RunningLab) -> None:
    keys = ("vm/swappiness", "kernel/numa_balancing")
    before = [Path("/proc/sys", key).read_text() for key in keys]
    own.run("ryzen", "sysctl -qw vm.swappiness=17 kernel.numa_balancing=1")
    shown = own.run("ryzen", "cat /proc/sys/vm/swappiness /proc/sys/kernel/numa_balancing")
    assert shown.split() == ["17", "1"]
    assert [Path("/proc/sys", key).read_text() for key in keys] == before
    assert "17" not in own.run("pro6000", "cat /proc/sys/vm/swappiness")
    for command in ("sysctl -qw kernel.pid_max=99999", "date -s 2001-01-01"):
        with pytest.raises(subprocess.CalledProcessError):
            own.run("ryzen", command)


def test_hosts_do_not_stop_each_others_services(own: RunningLab) -> None:
    for host in ("ryzen", "pro6000"):
        own.run(host, "systemd-run --quiet --unit=same-name sleep 300")
    own.run("ryzen", "systemctl stop same-name")
    assert own.run("pro6000", "systemctl is-active same-name; systemctl stop same-name") == (
        "active\n"
    )


def test_a_reset_keeps_the_model_disk_and_nothing_else(own: RunningLab) -> None:
    own.run("plain", "echo weights >/srv/models/kept; echo gone >/etc/gone; sync")
    before = own.boot_id("plain")
    lifecycle.reset(own.lab, "plain", say)
    assert own.boot_id("plain") != before
    assert own.run("plain", "cat /srv/models/kept") == "weights\n"
    assert own.run("plain", "ls /etc/gone 2>/dev/null || echo absent") == "absent\n"


def test_up_again_leaves_what_runs_and_boots_what_died(own: RunningLab) -> None:
    own.run("plain", "echo weights >/srv/models/stays")
    stayed = own.boot_id("pro6000")
    stop([Record(own.lab).hosts["plain"]])
    states = {row.host: row.state for row in lifecycle.status(own.lab)}
    assert states == {
        "xeon": "running",
        "ryzen": "running",
        "pro6000": "running",
        "plain": "stopped",
    }
    lifecycle.up(own.lab, say)
    assert own.boot_id("pro6000") == stayed
    assert own.run("plain", "cat /srv/models/stays") == "weights\n"


def test_a_run_of_tests_has_its_lab_alone_and_knows_what_a_killed_one_left(
    own: RunningLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(LabError, match="another run of tests"), brought_up(OWN_LAB):
        pass
    monkeypatch.delenv("BOXWRIGHT_LAB_KEEP", raising=False)
    assert claim.left_over(OWN_LAB), "its hosts run, and what a run made of them is not fresh"
    monkeypatch.setenv("BOXWRIGHT_LAB_KEEP", "1")
    assert not claim.left_over(OWN_LAB)
    stop(list(Record(OWN_LAB).hosts.values()))
    assert claim.left_over(OWN_LAB), "none runs: as after this machine's own reboot"
    lifecycle.up(OWN_LAB, say)
    assert not claim.left_over(Lab(name="never-up", number=27))


def test_a_second_lab_does_not_touch_the_first(own: RunningLab) -> None:
    assert own.document["gateway"] == f"10.77.{OWN_LAB.number}.1"
    assert {row["address"] for row in own.document["hosts"]} == {
        f"10.77.{OWN_LAB.number}.{last}" for last in range(11, 15)
    }
    with pytest.raises(LabError, match="take another number"):
        lifecycle.up(Lab(name="intruder", number=OWN_LAB.number), say)
    lifecycle.down(Lab(name="intruder", number=OWN_LAB.number), say)
    assert own.run("xeon", "hostname") == "xeon\n"
    key = Path(own.document["api_key_file"])
    assert key.stat().st_mode & 0o777 == 0o600
    assert len(key.read_text().strip()) >= 24


def test_the_door_lists_the_hosts(own: RunningLab) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.lab", "status", "--json"],
        env={"BOXWRIGHT_LAB": OWN_LAB.name, "BOXWRIGHT_LAB_NUMBER": str(OWN_LAB.number)},
        check=True,
        capture_output=True,
        text=True,
    )
    rows = json.loads(done.stdout)
    assert [row["host"] for row in rows] == [spec.name for spec in HOSTS]
    assert rows[0] | {"state": "running"} == {
        "host": "xeon",
        "address": f"10.77.{OWN_LAB.number}.11",
        "base_url": f"http://10.77.{OWN_LAB.number}.11:8080",
        "user": "engineer",
        "state": "running",
    }


def test_zz_down_leaves_no_trace(own: RunningLab) -> None:
    """Named to run last: it ends the lab of this module."""
    lifecycle.down(own.lab, say)
    assert not own.lab.state.exists()
    assert not strays(own.lab)
    assert not Path("/sys/class/net", own.lab.bridge).exists()
    assert not [s for s in HOSTS if (network.NAMESPACES / network.namespace(own.lab, s)).exists()]
    assert own.lab.name not in Path("/proc/self/mounts").read_text()
    # os.walk goes on where a group of another lab's host goes away meanwhile
    groups = {name for _, names, _ in os.walk("/sys/fs/cgroup") for name in names}
    assert not groups & {boot.cgroup(own.lab, spec) for spec in HOSTS}
    lifecycle.down(own.lab, say)
