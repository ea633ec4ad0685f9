"""Loading the driver: in place of the old one where that lets go, else by one reboot."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pyinfra.connectors.local import LocalConnector
from pyinfra.facts.files import FileContents

from roles.driver import load
from roles.driver.boot import BootKernels
from roles.driver.reload import REFUSED
from roles.driver.state import BuildReport, KernelReport, ModuleListed
from tests.unit.driver_hosts import NVIDIA_620, driven, ryzen
from tests.unit.role_host import RoleHost, box


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
    reloading = host.run(load.load_driver)[0]
    assert reloading.endswith("reload reboot" if listed else "reload stay")
    assert reboots(host) == listed
    assert listed or "would leave the cards dark" in str(host.refusal)


def in_place(it: RoleHost) -> None:
    it.machine = driven(ryzen(**NVIDIA_620), "620.36.01")


def test_a_module_that_lets_go_is_replaced_without_a_reboot() -> None:
    host = box(ryzen(**NVIDIA_620))
    host.effects["rmmod"] = in_place
    (reloading,) = host.run(load.load_driver)
    assert reloading.endswith("reload reboot")
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
