"""Proofs of the driver by the GPU's own tool and the kernel; they change nothing."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from pyinfra.api import FactBase
from pyinfra.context import host

from boxwright.operation import (
    Commands,
    machine_of_host,
    manager_of_host,
    noop,
    operation,
    refuse,
    wanted_for_host,
)
from boxwright.plan.results import DriverPlan, Refusal
from roles.driver.operations import not_held
from roles.driver.planned import HOST_BUILD, planned_driver
from roles.driver.state import kernel_says

NVIDIA_VENDOR = "10de:"
PASSED_THROUGH = ("vfio-pci", "pci-stub", "xen-pciback")  # a card that is a virtual machine's
CURE = "look at `journalctl -k -b | grep NVRM` and at `nvidia-smi`, then run again"


@dataclass(frozen=True)
class ToolAnswer:
    """What nvidia-smi answered: PCI address to driver version, its exit code and first words."""

    cards: tuple[tuple[str, str], ...] = ()
    exit_code: int | None = None
    said: str = ""

    def to_json(self) -> dict[str, object]:
        """Plain JSON types, for `pyinfra … fact`."""
        return asdict(self)


BUS_ID = re.compile(r"\s*(?P<domain>[0-9a-f]{4,8}):(?P<rest>[0-9a-f]{2}:[0-9a-f]{2}\.\d)\s*", re.I)


def sysfs_address(bus_id: str) -> str | None:
    """nvidia-smi's bus id (8-digit domain, capitals) as the kernel writes it; None for no id."""
    found = BUS_ID.fullmatch(bus_id)
    return f"{int(found['domain'], 16):04x}:{found['rest'].lower()}" if found else None


class NvidiaSmi(FactBase[ToolAnswer]):
    """The cards that nvidia-smi lists now."""

    @staticmethod
    def default() -> ToolAnswer:
        """It was not asked."""
        return ToolAnswer()

    def command(self) -> str:
        """One query, bounded in time since a hung card hangs the tool; then its exit code."""
        return (
            "timeout 120 nvidia-smi --query-gpu=pci.bus_id,driver_version"
            ' --format=csv,noheader,nounits 2>&1; echo "exit=$?"'
        )

    def process(self, output: list[str]) -> ToolAnswer:
        """Rows of address and version; other lines are what it says of a fault."""
        cards: list[tuple[str, str]] = []
        said: list[str] = []
        exit_code = None
        for line in (line.strip() for line in output):
            bus_id, comma, version = line.partition(",")
            address = sysfs_address(bus_id) if comma else None
            if re.fullmatch(r"exit=\d+", line):
                exit_code = int(line.removeprefix("exit="))
            elif address is not None:
                cards.append((address, version.strip()))
            elif line:
                said.append(line)
        return ToolAnswer(tuple(cards), exit_code, said[0] if said else "")


def expected_cards() -> tuple[str, ...]:
    """The addresses of NVIDIA's cards here, without those that are ignored or passed through."""
    ignored = wanted_for_host().ignore_gpus
    return tuple(
        card.pci
        for card in machine_of_host().gpus
        if card.id.startswith(NVIDIA_VENDOR)
        and card.pci not in ignored
        and card.driver not in PASSED_THROUGH
    )


@operation
def prove_versions() -> Commands:
    """Prove that the loaded module, the one on the disk and the libraries are one version."""
    driver = yield from planned_driver()
    if driver is None:
        return
    wrong = _version_fault(driver)
    if wrong is not None:
        yield from refuse(wrong)
        return
    noop(f"driver {driver.branch} {driver.flavour} is loaded")


def _version_fault(driver: DriverPlan) -> Refusal | None:
    nvidia = machine_of_host().nvidia
    versions = {"the kernel": nvidia.loaded, "the libraries": nvidia.userspace}
    if driver.build != HOST_BUILD:
        versions["the module on the disk"] = nvidia.installed
    listed = ", ".join(f"{where} {version or 'none'}" for where, version in versions.items())
    if len(set(versions.values())) != 1 or nvidia.loaded is None:
        return Refusal(
            f"the driver's parts differ: {listed}; needed is one version of branch {driver.branch}",
            "run deploy/driver.py, which installs what is missing and reboots if it has to",
        )
    if nvidia.loaded.split(".")[0] != driver.branch or nvidia.flavour != driver.flavour:
        return Refusal(
            f"the loaded driver is {nvidia.loaded} {nvidia.flavour}, needed is branch"
            f" {driver.branch} {driver.flavour}",
            "run deploy/driver.py",
        )
    return None


@operation
def prove_held() -> Commands:
    """Prove that no upgrade can take the driver to another branch."""
    driver = yield from planned_driver()
    if driver is None:
        return
    free = not_held(driver)
    if free:
        shows = "apt-mark showhold" if manager_of_host().name == "apt" else "dnf versionlock list"
        yield from refuse(
            Refusal(
                f"{', '.join(free)} could be upgraded past branch {driver.branch}; needed: holds",
                f"run deploy/driver.py; if that did not help, {shows} tells what is held",
            )
        )
        return
    noop(f"branch {driver.branch} is kept")


@operation
def prove_cards() -> Commands:
    """Prove that nvidia-smi lists every card the probe saw, with the loaded driver's version."""
    driver = yield from planned_driver()
    if driver is None:
        return
    answer, expected = host.get_fact(NvidiaSmi), expected_cards()
    fault = _listing_fault(answer, expected)
    if fault is not None:
        yield from refuse(Refusal(f"{fault} ({kernel_says()})", CURE))
        return
    noop(f"nvidia-smi lists {', '.join(expected)}")


def _listing_fault(answer: ToolAnswer, expected: tuple[str, ...]) -> str | None:
    """What is wrong with nvidia-smi's answer, or None; it prints [N/A] where it knows nothing."""
    listed, loaded = dict(answer.cards), machine_of_host().nvidia.loaded
    missing = [pci for pci in expected if pci not in listed]
    if answer.exit_code != 0 or missing:
        said = f": {answer.said}" if answer.said else ""
        return (
            f"nvidia-smi lists {len(listed)} of {len(expected)} cards, not"
            f" {', '.join(missing) or 'well'} (exit {answer.exit_code}{said})"
        )
    others = [f"{pci} {listed[pci]}" for pci in expected if listed[pci] != loaded]
    if others:
        return f"nvidia-smi gives the driver of {', '.join(others)}, needed is {loaded}"
    return None
