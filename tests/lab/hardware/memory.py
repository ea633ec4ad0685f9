"""Memory: /proc/meminfo and /sys/devices/system/node for a board with so much RAM."""

from __future__ import annotations

from pathlib import Path

from tests.lab.hardware.cpu import CpuShape
from tests.lab.hardware.tree import cpu_list, cpu_mask, write_tree

FIRMWARE_SHARE = 0.018
"""What firmware, page tables and the kernel keep of the fitted RAM: 128 GiB show as 128 750 MiB."""


def shown_kib(fitted_mib: int) -> int:
    """MemTotal of a machine with `fitted_mib` of RAM."""
    return int(fitted_mib * 1024 * (1 - FIRMWARE_SHARE))


def meminfo(fitted_mib: int) -> str:
    """The text of /proc/meminfo of such a machine, idle and without swap."""
    total = shown_kib(fitted_mib)
    cached = 1_200_000
    free = total - cached - 900_000
    values = {
        "MemTotal": total,
        "MemFree": free,
        "MemAvailable": free + cached - 100_000,
        "Buffers": 60_000,
        "Cached": cached,
        "SwapCached": 0,
        "Active": 700_000,
        "Inactive": 600_000,
        "Unevictable": 0,
        "Mlocked": 0,
        "SwapTotal": 0,
        "SwapFree": 0,
        "Dirty": 100,
        "Writeback": 0,
        "AnonPages": 100_000,
        "Mapped": 90_000,
        "Shmem": 8_000,
        "KReclaimable": 80_000,
        "Slab": 160_000,
        "SReclaimable": 80_000,
        "SUnreclaim": 80_000,
        "KernelStack": 8_000,
        "PageTables": 6_000,
        "CommitLimit": total // 2,
        "Committed_AS": 300_000,
        "VmallocTotal": 34_359_738_367,
        "VmallocUsed": 60_000,
    }
    lines = [f"{name + ':':<15} {value:>9} kB\n" for name, value in values.items()]
    huge = ("HugePages_Total", "HugePages_Free", "HugePages_Rsvd", "HugePages_Surp")
    lines += [f"{name + ':':<15} {0:>9}\n" for name in huge]
    lines += [f"{'Hugepagesize:':<15} {2048:>9} kB\n", f"{'Hugetlb:':<15} {0:>9} kB\n"]
    return "".join(lines)


def _node_meminfo(node: int, total_kib: int) -> str:
    used = 600_000
    rows = {
        "MemTotal": total_kib,
        "MemFree": total_kib - used,
        "MemUsed": used,
        "Active": used // 2,
        "Inactive": used // 4,
        "FilePages": used // 2,
        "AnonPages": used // 10,
    }
    text = [f"Node {node} {name + ':':<15}{value:>10} kB" for name, value in rows.items()]
    return "\n".join([*text, f"Node {node} HugePages_Total:     0"])


def write_nodes(root: Path, shape: CpuShape, fitted_mib: int) -> None:
    """Write `root` as /sys/devices/system/node, the RAM shared out evenly."""
    nodes = cpu_list(range(shape.nodes))
    names = ("online", "possible", "has_cpu", "has_memory", "has_normal_memory")
    write_tree(root, {name: nodes for name in names})
    for node in range(shape.nodes):
        cpus = shape.node_cpus(node)
        distance = " ".join("10" if other == node else "21" for other in range(shape.nodes))
        write_tree(
            root / f"node{node}",
            {
                "cpulist": cpu_list(cpus),
                "cpumap": cpu_mask(cpus),
                "distance": distance,
                "meminfo": _node_meminfo(node, shown_kib(fitted_mib) // shape.nodes),
                "hugepages/hugepages-2048kB/nr_hugepages": "0",
                "hugepages/hugepages-2048kB/free_hugepages": "0",
                **{f"cpu{cpu}": f"-> ../../cpu/cpu{cpu}" for cpu in cpus},
            },
        )
