"""Processors: their shapes, and /proc/cpuinfo of one.

Shapes are scaled down to a small machine (reference/lab.md 5): what a test needs is the relation
of sockets, cores, threads and nodes, not their count.
"""

from __future__ import annotations

from dataclasses import dataclass

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
