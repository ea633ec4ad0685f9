"""Machines unlike the recorded ones, as small trees of /sys and /proc.

The shapes are those of machines that recorded Linux trees are known of (hwloc keeps such a
collection); every file here is made up.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tests.lab.hardware.tree import write_tree
from tests.unit.probing import Files, write_cpus


def mask(cpus: Sequence[int], words: int = 2) -> str:
    """A CPU mask as kernels before 2.6.27 print it: words of 32 bits, the highest first."""
    value = sum(1 << cpu for cpu in cpus)
    return ",".join(f"{value >> 32 * word & 0xFFFFFFFF:08x}" for word in reversed(range(words)))


def old(core: Sequence[int], package: Sequence[int], **more: str) -> Files:
    """The topology of a CPU in masks."""
    return {
        "topology/thread_siblings": mask(core),
        "topology/core_siblings": mask(package),
        **{f"topology/{name}": value for name, value in more.items()},
    }


def four_old_sockets(tree: Path) -> None:
    """4 sockets x 8 cores x 2 threads in masks of two words; threads are 32 CPUs apart."""
    for cpu in range(64):
        core = cpu % 32
        package = [n for n in range(64) if n % 32 // 8 == core // 8]
        ids = {"physical_package_id": str(core // 8), "core_id": str(core % 8)}
        write_cpus(tree, {cpu: old([core, core + 32], package, **ids)})


def power7(tree: Path) -> None:
    """2 packages without a number, of 4 cores with 4 threads; node numbers 0 and 4."""
    for cpu in range(32):
        first = cpu // 4 * 4
        core, package = range(first, first + 4), range(cpu // 16 * 16, cpu // 16 * 16 + 16)
        write_cpus(tree, {cpu: old(core, package, physical_package_id="-1", core_id=str(first))})
    for node, mibs in ((0, 56), (4, 64)):
        meminfo = f"Node {node} MemTotal:  {mibs * 1024} kB"
        files: Files = {"cpumap": mask(range(4 * node, 4 * node + 16)), "meminfo": meminfo}
        write_tree(tree / f"sys/devices/system/node/node{node}", files)


def cell(tree: Path) -> None:
    """One core with two threads that belongs to no package."""
    for cpu in (0, 1):
        write_cpus(tree, {cpu: {"topology/thread_siblings": "00000003"}})


def mainframe(tree: Path) -> None:
    """2 drawers x 2 books x 1 socket x 2 cores; all numbers start again in each drawer."""
    for cpu in range(8):
        ids = {
            "topology/drawer_id": str(cpu // 4),
            "topology/book_id": str(cpu // 2 % 2),
            "topology/physical_package_id": "1",
            "topology/core_id": "1",
            "topology/thread_siblings_list": str(cpu),
        }
        write_cpus(tree, {cpu: dict(ids)})


def wrong_siblings(tree: Path) -> None:
    """2 packages whose core_siblings name one die only, as kernels with sub-NUMA clusters did."""
    for cpu in range(8):
        die = range(cpu // 2 * 2, cpu // 2 * 2 + 2)
        write_cpus(tree, {cpu: old([cpu], die, physical_package_id=str(cpu // 4), core_id="0")})


def numbers_only(tree: Path) -> None:
    """1 package of 2 dies x 2 cores x 2 threads, with numbers but no sets; core 1 of die 1 off."""
    for cpu in range(8):
        files: Files = {
            "topology/physical_package_id": "0",
            "topology/die_id": str(cpu % 4 // 2),
            "topology/core_id": str(cpu % 2),
        }
        write_cpus(tree, {cpu: files | ({"online": "0"} if cpu % 4 == 3 else {})})


def first_cpus_offline(tree: Path) -> None:
    """CPUs 0 to 3 and 21 to 23 of a 2 x 12 machine are off, and with them the memory of node 0."""
    for cpu in range(24):
        on = 4 <= cpu <= 20
        package = ",".join(str(n) for n in range(4, 21) if n % 2 == cpu % 2)
        topology: Files = {
            "topology/physical_package_id": str(cpu % 2),
            "topology/thread_siblings_list": str(cpu),
            "topology/core_siblings_list": package,
        }
        write_cpus(tree, {cpu: topology if on else {"crash_notes": "0"}})
    node: Files = {"cpulist": "5,7,9,11,13,15,17,19", "meminfo": "Node 1 MemTotal: 67108864 kB"}
    write_tree(tree / "sys/devices/system", {"cpu/online": "4-20", "node/online": "1"})
    write_tree(tree / "sys/devices/system/node/node1", node)


def stale_topology(tree: Path) -> None:
    """CPUs that were switched off but kept their topology: 3 of 4 cores, 5 of 8 threads."""
    for cpu in range(8):
        core = f"{cpu % 4},{cpu % 4 + 4}"
        files: Files = {
            "online": "0" if cpu in (2, 5, 6) else "1",
            "topology/thread_siblings_list": core,
            "topology/physical_package_id": "0",
        }
        write_cpus(tree, {cpu: files})


def opteron_without_sys(tree: Path) -> None:
    """Core numbers of the two dies of a package repeat; one thread a core says siblings."""
    rows = [(package, die, core) for package in (0, 1) for die in (0, 1) for core in range(3)]
    text = "".join(
        f"processor\t: {cpu}\nphysical id\t: {package}\nsiblings\t: 6\ncore id\t\t: {core}\n"
        f"cpu cores\t: 6\n\n"
        for cpu, (package, _, core) in enumerate(rows)
    )
    write_tree(tree, {"proc/cpuinfo": text})


def hyperthreads_without_sys(tree: Path) -> None:
    rows = [(package, core) for _ in (0, 1) for package in (0, 3) for core in (0, 1)]
    text = "".join(
        f"processor\t: {cpu}\nphysical id\t: {package}\nsiblings\t: 4\ncore id\t\t: {core}\n"
        f"cpu cores\t: 2\n\n"
        for cpu, (package, core) in enumerate(rows)
    )
    write_tree(tree, {"proc/cpuinfo": text})


def directories_without_topology(tree: Path) -> None:
    """Linux 2.6.9: CPU directories are empty, and /proc/cpuinfo tells who is online."""
    hyperthreads_without_sys(tree)
    write_cpus(tree, {cpu: {"crash_notes": "0"} for cpu in range(10)})


def s390_without_sys(tree: Path) -> None:
    lines = [f"processor {cpu}: version = FF,  machine = 2094" for cpu in (0, 1)]
    text = "\n".join(["vendor_id       : IBM/S390", "# processors    : 2", *lines])
    write_tree(tree, {"proc/cpuinfo": text})


def alpha(tree: Path) -> None:
    text = "cpu\t\t\t: Alpha\ncpu model\t\t: EV68CB\ncpus detected\t\t: 2\ncpus active\t\t: 1\n"
    write_tree(tree, {"proc/cpuinfo": text})
