"""Starts and ends hosts: writes what a host pretends, boots it under nspawn, waits for its SSH."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from tests.lab import access, network
from tests.lab.hardware import cards, dmi, firmware, memory, pci, topology
from tests.lab.hardware.cpu import cpuinfo
from tests.lab.hardware.tree import cpu_list, fresh
from tests.lab.hosts import HostSpec
from tests.lab.rootfs import GUEST
from tests.lab.settings import Lab
from tests.lab.state import MARKER, LabError, Process, host_dir, process, stop

BOOT_TIMEOUT_S = 180.0
EMPTY_TIMEOUT_S = 60.0
VRAM_USED = "/run/boxwright-lab/vram-used"
"""In the guest: one file per card, `<pci>`, with the MiB that other processes hold of it."""


def write_hardware(lab: Lab, spec: HostSpec) -> None:
    """Write the directory that the guest sees as /lab (read-only)."""
    root = fresh(host_dir(lab, spec.name) / "lab")
    for script in ("hardware.sh", "driver.sh"):
        shutil.copy(GUEST / script, root / script)
    (root / "kernel").write_text(f"{spec.kernel}\n")
    (root / "gpus.csv").write_text(cards.facts_csv(spec.cards, VRAM_USED))
    (root / "rules.csv").write_text(cards.rules_csv(spec.cards))
    (root / "sys/module").mkdir(parents=True)
    (root / "proc/driver").mkdir(parents=True)
    (root / "proc/version").write_text(f"Linux version {spec.kernel} (lab) #1 SMP\n")
    cpus: dict[int, str] = {}
    board = pci.AMD_BOARD if spec.cpu and spec.cpu.vendor == "AuthenticAMD" else pci.INTEL_BOARD
    if spec.cpu:
        system = root / "sys/devices/system"
        topology.write_cpu(system / "cpu", spec.cpu)
        (root / "proc/cpuinfo").write_text(cpuinfo(spec.cpu))
        cpus = {n: cpu_list(spec.cpu.node_cpus(n)) for n in range(spec.cpu.nodes)}
        if spec.dimms:
            memory.write_nodes(system / "node", spec.cpu, spec.dimms.total_mib)
            (root / "proc/meminfo").write_text(memory.meminfo(spec.dimms.total_mib))
            dmi.write_dmi(root / "sys/firmware/dmi", spec.dimms)
    if spec.secure_boot is not None:
        firmware.write_efi(root / "sys/firmware/efi", spec.secure_boot)
    pci.write_pci(root / "sys/bus/pci", board, spec.cards, cpus)


def start(lab: Lab, spec: HostSpec, layer: Path) -> Process:
    """Boot a host whose root exists; returns at once with the process that keeps it running."""
    here = host_dir(lab, spec.name)
    (here / "models").mkdir(exist_ok=True)
    variables = {
        MARKER: str(lab.state),
        "HOST_DIR": str(here),
        "LOWER": str(layer),
        "NAME": spec.name,
        "MACHINE": f"{lab.bridge}-{spec.name}",
        "NETNS": network.namespace(lab, spec),
        "CGROUP": cgroup(lab, spec),
    }
    command = ["unshare", "--mount", "--propagation=slave", "--pid", "--fork", "--kill-child"]
    script = str(Path(__file__).with_name("boot.sh"))
    # Not subprocess: the host outlives this command, and nobody here waits for it.
    pid = os.posix_spawnp(
        command[0],
        [*command, "--mount-proc", "sh", script],
        os.environ | variables,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (
                os.POSIX_SPAWN_OPEN,
                1,
                here / "console.log",
                os.O_WRONLY | os.O_CREAT | os.O_APPEND,
                0o644,
            ),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
    )
    return process(pid)


def wait(lab: Lab, spec: HostSpec, booting: Process) -> None:
    """Wait until the host takes a login; raise LabError with the end of its console if not."""
    try:
        access.wait_until_reachable(lab, spec, booting, BOOT_TIMEOUT_S)
    except LabError as error:
        console = host_dir(lab, spec.name) / "console.log"
        tail = "\n".join(console.read_text(errors="replace").splitlines()[-15:])
        raise LabError(f"{error}; the end of {console}:\n{tail}") from None


def cgroup(lab: Lab, spec: HostSpec) -> str:
    """The control group that holds everything of one host."""
    return f"boxwright-{lab.name}-{spec.name}"


def halt(lab: Lab, spec: HostSpec, running: Process | None) -> None:
    """End a host as pulling its plug does; its pid namespace takes every process along."""
    if running:
        stop([running])
    _remove_cgroup(cgroup(lab, spec))


def _remove_cgroup(name: str) -> None:
    """Remove the emptied group; its processes may take a moment to be gone."""
    for mount in _cgroup2_mounts():
        top = mount / name
        deadline = time.monotonic() + EMPTY_TIMEOUT_S
        while top.is_dir():
            try:
                for path, _, _ in os.walk(top, topdown=False):
                    Path(path).rmdir()
            except OSError as error:
                if time.monotonic() > deadline:
                    raise LabError(f"{top} still holds processes: {error}") from error
                time.sleep(0.02)


def _cgroup2_mounts() -> list[Path]:
    rows = (line.split() for line in Path("/proc/self/mounts").read_text().splitlines())
    return [Path(row[1]) for row in rows if row[2] == "cgroup2"]
