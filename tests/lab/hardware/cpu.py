"""Processors: /sys/devices/system/cpu, /sys/devices/system/node and /proc/cpuinfo of one shape.

Shapes are scaled down to a small machine (reference/lab.md 5): what a test needs is the relation
of sockets, cores, threads and nodes, not their count.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.lab.hardware.tree import copy_readable, cpu_list, cpu_mask, write_tree

SYSTEM = Path("/sys/devices/system")

X86_64_V3 = (
    "fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov pat pse36 clflush mmx fxsr sse "
    "sse2 ht syscall nx pdpe1gb rdtscp lm constant_tsc rep_good nopl nonstop_tsc cpuid aperfmperf "
    "pni pclmulqdq monitor ssse3 fma cx16 sse4_1 sse4_2 movbe popcnt aes xsave avx f16c rdrand "
    "lahf_lm abm fsgsbase bmi1 avx2 smep bmi2 erms invpcid rdseed adx smap xsaveopt"
)


@dataclass(frozen=True)
class CpuShape:
    """A processor board; logical CPU n is thread n // cores of core n % cores, as on real ones."""

    model: str
    vendor: str
    family: int
    model_number: int
    sockets: int
    cores_per_socket: int
    threads_per_core: int
    nodes: int
    flags: str
    mhz: float
    min_khz: int
    max_khz: int
    l3_kib: int

    @property
    def cores(self) -> int:
        """Physical cores of the board."""
        return self.sockets * self.cores_per_socket

    @property
    def cpus(self) -> range:
        """Logical CPUs."""
        return range(self.cores * self.threads_per_core)

    def core(self, cpu: int) -> int:
        """The board-wide core number of a logical CPU."""
        return cpu % self.cores

    def socket(self, cpu: int) -> int:
        """The socket that a logical CPU sits in."""
        return self.core(cpu) // self.cores_per_socket

    def siblings(self, cpu: int) -> list[int]:
        """Logical CPUs of the same core."""
        return [c for c in self.cpus if self.core(c) == self.core(cpu)]

    def package(self, cpu: int) -> list[int]:
        """Logical CPUs of the same socket."""
        return [c for c in self.cpus if self.socket(c) == self.socket(cpu)]

    def node_cpus(self, node: int) -> list[int]:
        """Logical CPUs of a NUMA node; sockets are dealt to nodes in order."""
        return [c for c in self.cpus if self.socket(c) * self.nodes // self.sockets == node]


E5_2698_V4 = CpuShape(
    model="Intel(R) Xeon(R) CPU E5-2698 v4 @ 2.20GHz",
    vendor="GenuineIntel",
    family=6,
    model_number=79,
    sockets=2,
    cores_per_socket=1,
    threads_per_core=2,
    nodes=2,
    flags=f"{X86_64_V3} intel_ppin cdp_l3 rtm hle cat_l3 pti ibrs ibpb stibp",
    mhz=2200.0,
    min_khz=1200000,
    max_khz=3600000,
    l3_kib=51200,
)
RYZEN_9_9950X = CpuShape(
    model="AMD Ryzen 9 9950X 16-Core Processor",
    vendor="AuthenticAMD",
    family=26,
    model_number=68,
    sockets=1,
    cores_per_socket=2,
    threads_per_core=2,
    nodes=1,
    flags=(
        f"{X86_64_V3} sse4a misalignsse 3dnowprefetch topoext avx512f avx512dq avx512ifma "
        "clflushopt clwb avx512cd sha_ni avx512bw avx512vl avx_vnni avx512_bf16 avx512vbmi "
        "avx512_vbmi2 gfni vaes vpclmulqdq avx512_vnni avx512_bitalg avx512_vpopcntdq movdiri "
        "movdir64b avx512_vp2intersect"
    ),
    mhz=4300.0,
    min_khz=600000,
    max_khz=5752000,
    l3_kib=65536,
)


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
    vulnerabilities = SYSTEM / "cpu/vulnerabilities"
    if vulnerabilities.is_dir():
        copy_readable(vulnerabilities, root / "vulnerabilities")


def cpuinfo(shape: CpuShape) -> str:
    """The text of /proc/cpuinfo."""
    blocks = []
    for cpu in shape.cpus:
        fields = {
            "processor": cpu,
            "vendor_id": shape.vendor,
            "cpu family": shape.family,
            "model": shape.model_number,
            "model name": shape.model,
            "stepping": 1,
            "cpu MHz": f"{shape.mhz:.3f}",
            "cache size": f"{shape.l3_kib} KB",
            "physical id": shape.socket(cpu),
            "siblings": len(shape.package(cpu)),
            "core id": shape.core(cpu) % shape.cores_per_socket,
            "cpu cores": shape.cores_per_socket,
            "apicid": cpu,
            "fpu": "yes",
            "flags": shape.flags,
            "bogomips": f"{shape.mhz * 2:.2f}",
            "address sizes": "46 bits physical, 48 bits virtual",
        }
        blocks.append("".join(f"{key}\t: {value}\n" for key, value in fields.items()))
    return "\n".join(blocks) + "\n"
