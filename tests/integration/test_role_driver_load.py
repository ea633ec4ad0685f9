"""Loading the driver: in place of the old one where that lets go, else by one reboot."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from pyinfra.connectors.local import LocalConnector
from pyinfra.facts.files import FileContents

from roles.driver import load
from roles.driver.boot import BootKernels
from roles.driver.reload import REFUSED
from roles.driver.state import BuildReport, KernelReport, ModuleListed
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


def test_the_machine_of_the_run_itself_is_never_rebooted() -> None:
    """It would end the run, and whoever sits there, without a word."""
    host = box(ryzen(**NVIDIA_620))
    host.connector = object.__new__(LocalConnector)
    host.answers["rmmod"] = ("module nouveau is in use (1 users)",)
    host.fails_next = lambda text: "rmmod" in text
    host.run(load.load_driver)
    assert reboots(host) == 0
    assert host.refusal is not None and "reboot this host, then run again: it" in host.refusal
    assert "module nouveau is in use" in host.refusal


@pytest.mark.parametrize("boot_id", [None, [], [""]])
def test_a_host_whose_boots_cannot_be_told_apart_is_not_rebooted(boot_id: list[str] | None) -> None:
    host = box(ryzen(**NVIDIA_620), driver_reload=False)
    host.facts[FileContents] = boot_id
    host.run(load.load_driver)
    assert reboots(host) == 0
    assert host.refusal is not None and "boot_id cannot be read" in host.refusal


@pytest.mark.parametrize("listed", [True, False])
def test_services_stay_stopped_for_a_reboot_only_if_one_may_follow(listed: bool) -> None:
    """With another kernel to boot, for which there is no module, the reboot is refused."""
    host = box(ryzen(**NVIDIA_620))
    running = ryzen().os.kernel
    host.facts |= {
        FileContents: ["boot-1"], ModuleListed: listed, BuildReport: (),
        BootKernels: (running, running.replace("6.12.48", "6.12.60")),
    }  # fmt: skip
    host.answers["rmmod"] = ("module nouveau is in use (1 users)",)
    host.fails_next = lambda text: "rmmod" in text
    host.effects["systemctl reboot"] = in_place
    reload = host.run(load.load_driver)[0]
    assert reload.endswith("reload reboot" if listed else "reload stay")
    assert reboots(host) == listed
    assert listed or "would leave the cards dark" in str(host.refusal)


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


@pytest.mark.parametrize("may_reboot", [True, False])
def test_a_module_that_the_kernel_does_not_take_is_refused_and_not_rebooted_for(
    may_reboot: bool,
) -> None:
    """Each run would reboot and end where it began: with a key that is rejected, or no card."""
    host = box(ryzen(**NVIDIA_620), driver_reboot=may_reboot)
    host.facts[KernelReport] = ("Loading of module with unavailable key is rejected",)
    said = "modprobe: ERROR: could not insert 'nvidia': Key was rejected by service"
    host.answers["rmmod"] = (REFUSED, said)
    host.fails_next = lambda text: "rmmod" in text
    host.run(load.load_driver)
    assert reboots(host) == 0
    assert host.refusal is not None and "Key was rejected by service" in host.refusal
    assert "enrol the key" in host.refusal


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
            capture_output=True, text=True, check=False, timeout=30,
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
