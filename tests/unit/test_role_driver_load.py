"""Loading the driver: in place of the old one where that lets go, else by one reboot."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pyinfra.facts.files import FileContents

from roles.driver import load
from roles.driver.state import KernelReport
from tests.unit.driver_hosts import NVIDIA_620, driven, ryzen
from tests.unit.role_host import RoleHost, box, programs


def reboots(host: RoleHost) -> int:
    return sum("systemctl reboot" in command for command in host.sent)


def test_it_reboots_once_when_another_driver_is_loaded() -> None:
    host = box(ryzen(**NVIDIA_620))
    host.facts[FileContents] = ["boot-1"]

    def boot(it: RoleHost) -> None:
        it.machine = driven(ryzen(**NVIDIA_620), "620.36.01")

    host.effects["systemctl reboot"] = boot
    host.run(load.load_driver)
    assert (reboots(host), host.refusal) == (1, None)
    host.run(load.load_driver)
    assert reboots(host) == 1, "what is loaded is not rebooted for"


def test_a_reboot_that_does_not_help_is_told_with_the_kernel_s_words() -> None:
    host = box(ryzen(**NVIDIA_620))
    host.facts |= {FileContents: ["boot-1"], KernelReport: ("NVRM: GPU is not supported",)}
    host.run(load.load_driver)
    assert reboots(host) == 1
    assert host.refusal is not None and "NVRM: GPU is not supported" in host.refusal


def test_a_host_that_may_not_be_rebooted_is_told_so() -> None:
    host = box(ryzen(**NVIDIA_620), driver_reboot=False)
    host.run(load.load_driver)
    assert reboots(host) == 0
    assert host.refusal is not None and "driver_reboot" in host.refusal


def in_place(it: RoleHost) -> None:
    it.machine = driven(ryzen(**NVIDIA_620), "620.36.01")


def test_a_module_that_lets_go_is_replaced_without_a_reboot() -> None:
    host = box(ryzen(**NVIDIA_620))
    host.effects["rmmod"] = in_place
    (reload,) = host.run(load.load_driver)
    assert reload.endswith("reload reboot")
    assert (reboots(host), host.refusal) == (0, None)
    assert host.run(load.load_driver) == []


def test_a_loaded_driver_that_took_no_card_is_rebooted_for() -> None:
    host = box(ryzen(**NVIDIA_620))
    host.facts |= {FileContents: ["boot-1"]}

    def half(it: RoleHost) -> None:
        found = driven(ryzen(**NVIDIA_620), "620.36.01")
        it.machine = replace(found, gpus=tuple(replace(one, driver=None) for one in found.gpus))

    host.effects |= {"rmmod": half, "systemctl reboot": in_place}
    host.run(load.load_driver)
    assert (reboots(host), host.refusal) == (1, None)


def test_a_module_that_does_not_let_go_is_rebooted_for_and_the_reason_told() -> None:
    host = box(ryzen(**NVIDIA_620))
    host.facts |= {FileContents: ["boot-1"]}
    host.effects["systemctl reboot"] = in_place
    host.answers["rmmod"] = ("module nouveau is in use (1 users)",)
    host.fails_next = lambda text: "rmmod" in text
    host.run(load.load_driver)
    assert reboots(host) == 1 and host.refusal is None
    assert any("module nouveau is in use" in line for line in host.logged)


def test_without_leave_to_reload_it_reboots_at_once() -> None:
    host = box(ryzen(**NVIDIA_620), driver_reload=False)
    host.facts |= {FileContents: ["boot-1"]}
    host.effects["systemctl reboot"] = in_place
    assert not any("rmmod" in command for command in host.run(load.load_driver))
    assert reboots(host) == 1


# -- the script itself, on a tree of /sys/module and programs of the test ------------------------

PROGRAMS = {
    "systemctl": """echo "systemctl $*" >>"$LOG"
case $1 in is-active) shift; for unit; do :; done; grep -qx "$unit" "$ACTIVE" ;; esac""",
    "rmmod": 'echo "rmmod $*" >>"$LOG"; for one; do rm -r "$SYS/$one"; done',
    "modprobe": 'echo "modprobe $*" >>"$LOG"; test "$1" != "$BROKEN"',
    "sleep": "exit 0",
}


def module(tree: Path, name: str, refcnt: int | None, *holders: str) -> None:
    (tree / name / "holders").mkdir(parents=True)
    if refcnt is not None:
        (tree / name / "refcnt").write_text(f"{refcnt}\n")
    for holder in holders:
        (tree / name / "holders" / holder).mkdir()


def reload(
    tmp_path: Path, active: str = "", then: str = "reboot", broken: str = ""
) -> tuple[int, str, list[str]]:
    """Run the script; its exit code, what it says on standard error, and what it called."""
    tree = tmp_path / "module"
    tree.mkdir(exist_ok=True)
    log, units = tmp_path / "log", tmp_path / "active"
    log.write_text("")
    units.write_text(active)
    scripts = tmp_path / "bin"
    scripts.mkdir()
    with programs(scripts, **PROGRAMS):
        done = subprocess.run(
            ["sh", "-c", load.RELOAD.replace("/sys/module", str(tree)), "reload", then],
            env={
                "PATH": f"{scripts}:{os.environ['PATH']}", "LOG": str(log), "ACTIVE": str(units),
                "SYS": str(tree), "BROKEN": broken,
            },
            capture_output=True, text=True, check=False, timeout=30,
        )  # fmt: skip
    called = [line for line in log.read_text().splitlines() if "is-active" not in line]
    return done.returncode, done.stderr.strip(), called


def test_the_old_modules_go_from_the_top_and_services_come_back(tmp_path: Path) -> None:
    tree = tmp_path / "module"
    module(tree, "nvidia", 2, "nvidia_uvm", "nvidia_modeset")
    module(tree, "nvidia_modeset", 1, "nvidia_drm")
    module(tree, "nvidia_drm", 0)
    module(tree, "nvidia_uvm", 0)
    active = "llama-server.service\nnvidia-persistenced.service\n"
    code, said, called = reload(tmp_path, active)
    assert (code, said) == (0, "")
    assert called == [
        "systemctl stop llama-server.service",
        "systemctl stop nvidia-persistenced.service",
        "rmmod nvidia_uvm nvidia_drm nvidia_modeset nvidia",
        "modprobe nvidia",
        "modprobe nvidia-uvm",
        "systemctl start --no-block nvidia-persistenced.service llama-server.service",
    ]


def test_nouveau_goes_and_the_driver_comes(tmp_path: Path) -> None:
    module(tmp_path / "module", "nouveau", 0)
    code, _, called = reload(tmp_path)
    assert code == 0
    assert called == ["rmmod nouveau", "modprobe nvidia", "modprobe nvidia-uvm"]


def test_with_nothing_loaded_the_driver_is_just_loaded(tmp_path: Path) -> None:
    code, _, called = reload(tmp_path)
    assert (code, called) == (0, ["modprobe nvidia", "modprobe nvidia-uvm"])


@pytest.mark.parametrize(
    ("refcnt", "told"),
    [(1, "module nouveau is in use (1 users)"), (None, "in use (unknown users)")],
    ids=["a console", "a kernel that unloads nothing"],
)
def test_a_module_in_use_keeps_all_of_them(tmp_path: Path, refcnt: int | None, told: str) -> None:
    tree = tmp_path / "module"
    module(tree, "nvidia_uvm", 0)
    module(tree, "nouveau", refcnt)
    code, said, called = reload(tmp_path, "llama-server.service\n")
    assert code == 1 and told in said
    assert called == ["systemctl stop llama-server.service"], "a reboot brings it back"


def test_what_was_stopped_for_nothing_is_started_where_no_reboot_follows(tmp_path: Path) -> None:
    module(tmp_path / "module", "nvidia", 3)
    code, _, called = reload(tmp_path, "llama-server.service\n", then="stay")
    assert code == 1
    assert called[-1] == "systemctl start --no-block llama-server.service"


def test_a_module_that_does_not_load_is_a_failure(tmp_path: Path) -> None:
    module(tmp_path / "module", "nouveau", 0)
    code, _, called = reload(tmp_path, broken="nvidia")
    assert code == 1 and called[-1] == "modprobe nvidia"
