"""The script that puts a driver in the place of another, on a tree of /sys/module and programs."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from roles.driver import load
from roles.driver.reload import REFUSED
from tests.unit.shell import programs

PROGRAMS = {
    "systemctl": """echo "systemctl $*" >>"$LOG"
case $1 in is-active) shift; for unit; do :; done; grep -qx "$unit" "$ACTIVE" ;; esac""",
    "rmmod": 'echo "rmmod $*" >>"$LOG"; for one; do rm -r "$SYS/$one"; done',
    "modprobe": """echo "modprobe $*" >>"$LOG"; test -z "$BROKEN" -o "$1" != nvidia ||
{ echo "modprobe: $BROKEN" >&2; exit 1; }""",
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
    """Run the script; its exit code, what it says (errors first), and what it called."""
    tree, proc = tmp_path / "module", tmp_path / "proc"
    tree.mkdir(exist_ok=True)
    proc.mkdir(exist_ok=True)
    text = load.RELOAD.replace("/sys/module", str(tree)).replace("=/proc", f"={proc}")
    log, units = tmp_path / "log", tmp_path / "active"
    log.write_text("")
    units.write_text(active)
    scripts = tmp_path / "bin"
    scripts.mkdir()
    with programs(scripts, **PROGRAMS):
        done = subprocess.run(
            ["sh", "-c", text, "reload", then],
            env={
                "PATH": f"{scripts}:{os.environ['PATH']}", "LOG": str(log), "ACTIVE": str(units),
                "SYS": str(tree), "BROKEN": broken,
            },
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
    called = [line for line in log.read_text().splitlines() if "is-active" not in line]
    return done.returncode, (done.stderr + done.stdout).strip(), called


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


def process(tmp_path: Path, pid: int, unit: str, *devices: str) -> None:
    """A process of a unit that has these files of /dev open."""
    files = tmp_path / "proc" / str(pid) / "fd"
    files.mkdir(parents=True)
    files.with_name("cgroup").write_text(f"0::/system.slice/{unit}\n")
    for number, device in enumerate(devices):
        (files / str(number)).symlink_to(f"/dev/{device}")


@pytest.mark.parametrize(
    ("refcnt", "told"),
    [
        (1, "module nouveau is in use (1 users)"),
        (None, "module nouveau cannot be unloaded"),
    ],
    ids=["a console", "a kernel that unloads nothing"],
)
@pytest.mark.parametrize("then", ["reboot", "stay"])
def test_a_module_in_use_keeps_all_of_them_and_our_services_running(
    tmp_path: Path, refcnt: int | None, told: str, then: str
) -> None:
    tree = tmp_path / "module"
    module(tree, "nvidia_uvm", 0)
    module(tree, "nouveau", refcnt)
    code, said, called = reload(tmp_path, "llama-server.service\n", then)
    assert (code, said, called) == (1, told, [])


def test_what_our_services_have_open_is_no_other_s_use(tmp_path: Path) -> None:
    """They are asked to leave only if nobody else stays: another program has nvidia0 open."""
    tree = tmp_path / "module"
    module(tree, "nvidia", 4, "nvidia_uvm")
    module(tree, "nvidia_uvm", 1)
    process(tmp_path, 70, "llama-server.service", "nvidiactl", "nvidia0", "nvidia-uvm", "null")
    process(tmp_path, 71, "other.service", "nvidia0")
    code, said, called = reload(tmp_path, "llama-server.service\n")
    assert (code, said, called) == (1, "module nvidia is in use (1 users)", [])


LEAVES = """echo "systemctl $*" >>"$LOG"
case $1 in
is-active) shift; for unit; do :; done; grep -qx "$unit" "$ACTIVE" ;;
stop) rm -r "$SYS/../proc/70"; for one in nvidia:1 nvidia_uvm:0; do
  echo "${one#*:}" >"$SYS/${one%:*}/refcnt"; done ;;
esac"""


@pytest.mark.parametrize("then", ["reboot", "stay"])
def test_services_that_leave_are_started_again(
    tmp_path: Path, then: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROGRAMS, "systemctl", LEAVES)
    tree = tmp_path / "module"
    module(tree, "nvidia", 3, "nvidia_uvm")
    module(tree, "nvidia_uvm", 1)
    process(tmp_path, 70, "llama-server.service", "nvidiactl", "nvidia0", "nvidia-uvm")
    code, _, called = reload(tmp_path, "llama-server.service\n", then)
    assert (code, called[0]) == (0, "systemctl stop llama-server.service")
    assert called[1] == "rmmod nvidia_uvm nvidia"
    assert called[-1] == "systemctl start --no-block llama-server.service"


STAYS = LEAVES.replace("nvidia:1 nvidia_uvm:0", "nvidia:2 nvidia_uvm:0")


@pytest.mark.parametrize(("then", "starts"), [("reboot", 0), ("stay", 1)])
def test_what_was_stopped_for_nothing_is_started_where_no_reboot_follows(
    tmp_path: Path, then: str, starts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who came while they left: nvidia has one user more than its modules."""
    monkeypatch.setitem(PROGRAMS, "systemctl", STAYS)
    tree = tmp_path / "module"
    module(tree, "nvidia", 3, "nvidia_uvm")
    module(tree, "nvidia_uvm", 1)
    process(tmp_path, 70, "llama-server.service", "nvidiactl", "nvidia0", "nvidia-uvm")
    code, _, called = reload(tmp_path, "llama-server.service\n", then)
    assert code == 1 and called[0].startswith("systemctl stop")
    started = [one for one in called if one == "systemctl start --no-block llama-server.service"]
    assert len(started) == starts and not any("rmmod" in one for one in called)


@pytest.mark.parametrize("loaded", [True, False])
@pytest.mark.parametrize(
    ("said", "refused"),
    [
        ("could not insert 'nvidia': Key was rejected by service", True),
        ("could not insert 'nvidia': No such device", True),
        ("could not insert 'nvidia': Exec format error", True),
        ("FATAL: Module nvidia not found in directory /lib/modules/6.1", False),
        ("could not insert 'nvidia': Device or resource busy", False),
    ],
)
def test_what_a_reboot_cannot_change_is_said_and_services_come_back(
    tmp_path: Path, said: str, refused: bool, loaded: bool
) -> None:
    if loaded:
        module(tmp_path / "module", "nouveau", 0)
    code, told, called = reload(tmp_path, "llama-server.service\n", broken=said)
    assert (code, told.splitlines()) == (1, [f"modprobe: {said}", *([REFUSED] if refused else [])])
    comes_back = "systemctl start --no-block llama-server.service" in called
    assert comes_back == refused, "else a reboot brings it back"


def test_a_kernel_that_takes_no_module_until_the_next_boot_is_rebooted_for(tmp_path: Path) -> None:
    (tmp_path / "proc/sys/kernel").mkdir(parents=True)
    (tmp_path / "proc/sys/kernel/modules_disabled").write_text("1\n")
    _, told, _ = reload(tmp_path, broken="could not insert 'nvidia': Operation not permitted")
    assert REFUSED not in told
