"""Writes /sys/devices/system/cpu for a processor shape: topology, caches, frequency."""

from __future__ import annotations

from pathlib import Path

from tests.lab.hardware.cpu import CpuShape
from tests.lab.hardware.tree import copy_readable, cpu_list, cpu_mask, write_tree

VULNERABILITIES = Path("/sys/devices/system/cpu/vulnerabilities")


def _topology(shape: CpuShape, cpu: int) -> dict[str, str | bytes]:
    core, package = shape.siblings(cpu), shape.package(cpu)
    files: dict[str, str | bytes] = {
        "core_id": str(shape.core(cpu) % shape.cores_per_socket),
        "physical_package_id": str(shape.socket(cpu)),
        "die_id": "0",
    }
    sets = {"core_cpus": core, "thread_siblings": core, "die_cpus": package}
    for name, cpus in (sets | {"package_cpus": package, "core_siblings": package}).items():
        files[name] = cpu_mask(cpus)
        files[f"{name}_list"] = cpu_list(cpus)
    return {f"topology/{name}": value for name, value in files.items()}


def _caches(shape: CpuShape, cpu: int) -> dict[str, str | bytes]:
    core, package = shape.siblings(cpu), shape.package(cpu)
    caches = (
        (1, "Data", 32, core, shape.core(cpu)),
        (1, "Instruction", 32, core, shape.core(cpu)),
        (2, "Unified", 1024, core, shape.core(cpu)),
        (3, "Unified", shape.l3_kib, package, shape.socket(cpu)),
    )
    files: dict[str, str | bytes] = {}
    for index, (level, kind, size_kib, cpus, number) in enumerate(caches):
        files |= {
            f"cache/index{index}/level": str(level),
            f"cache/index{index}/type": kind,
            f"cache/index{index}/size": f"{size_kib}K",
            f"cache/index{index}/id": str(number),
            f"cache/index{index}/coherency_line_size": "64",
            f"cache/index{index}/ways_of_associativity": "8",
            f"cache/index{index}/number_of_sets": str(size_kib * 1024 // 64 // 8),
            f"cache/index{index}/physical_line_partition": "1",
            f"cache/index{index}/shared_cpu_map": cpu_mask(cpus),
            f"cache/index{index}/shared_cpu_list": cpu_list(cpus),
        }
    return files


def _frequency(shape: CpuShape) -> dict[str, str | bytes]:
    return {
        "scaling_driver": "acpi-cpufreq",
        "scaling_governor": "schedutil",
        "scaling_available_governors": "conservative ondemand userspace powersave performance "
        "schedutil",
        "scaling_cur_freq": str(int(shape.mhz * 1000)),
        "scaling_min_freq": str(shape.min_khz),
        "scaling_max_freq": str(shape.max_khz),
        "cpuinfo_min_freq": str(shape.min_khz),
        "cpuinfo_max_freq": str(shape.max_khz),
    }


def write_cpu(root: Path, shape: CpuShape) -> None:
    """Write `root` as /sys/devices/system/cpu, whole: lscpu aborts on an inconsistent one."""
    every = cpu_list(shape.cpus)
    write_tree(
        root,
        {
            "online": every,
            "possible": every,
            "present": every,
            "offline": "",
            "isolated": "",
            "kernel_max": "8191",
            "smt/active": str(int(shape.threads_per_core > 1)),
            "smt/control": "on" if shape.threads_per_core > 1 else "notsupported",
            "modalias": f"cpu:type:x86,ven0000fam{shape.family:04X}mod{shape.model_number:04X}",
        },
    )
    for cpu in shape.cpus:
        node = next(n for n in range(shape.nodes) if cpu in shape.node_cpus(n))
        files = _topology(shape, cpu) | _caches(shape, cpu)
        policy = {f"cpufreq/policy{cpu}/{k}": v for k, v in _frequency(shape).items()}
        policy[f"cpufreq/policy{cpu}/affected_cpus"] = str(cpu)
        policy[f"cpufreq/policy{cpu}/related_cpus"] = str(cpu)
        write_tree(root, policy)
        write_tree(root / f"cpu{cpu}", files)
        write_tree(
            root / f"cpu{cpu}",
            {"cpufreq": f"-> ../cpufreq/policy{cpu}", f"node{node}": f"-> ../../node/node{node}"},
        )
        if cpu:
            write_tree(root / f"cpu{cpu}", {"online": "1"})
    if VULNERABILITIES.is_dir():
        copy_readable(VULNERABILITIES, root / "vulnerabilities")
