"""Host settings: threads, NUMA mode, sysctl keys, CPU governor (reference/llama-cpp.md 3.5, 6)."""

from __future__ import annotations

from boxwright.machine import Machine
from boxwright.plan import profile
from boxwright.plan.results import Refusal, TuningPlan
from boxwright.plan.wanted import Wanted
from boxwright.plan.wording import counted

NUMA_MODES = ("distribute", "isolate", "numactl")
# what every kernel of the catalog takes (its documentation, admin-guide/sysctl/vm and kernel)
RANGES = {"tuning_swappiness": (0, 200), "tuning_numa_balancing": (0, 1)}


def decide(machine: Machine, wanted: Wanted, cards: int) -> TuningPlan | Refusal:
    """Threads are physical cores (performance cores of a hybrid): hyperthreads slow decode.

    NUMA options only where more than one node has memory. `cards` are in use. A refusal for an
    unknown profile or NUMA mode, or a number of threads or for the kernel that cannot be.
    """
    nodes = sum(1 for node in machine.numa if node.memory_mib)
    cores = max(machine.cpu.performance_cores or machine.cpu.cores, 1)
    if wanted.server_numa not in (None, "off", *NUMA_MODES):
        return Refusal(
            f"server_numa is {wanted.server_numa!r}, needs one of off, {', '.join(NUMA_MODES)}",
            "correct server_numa, or leave it unset",
        )
    threads = wanted.server_threads
    most = max(machine.cpu.threads, 1)
    if threads is not None and not 1 <= threads <= most:
        return Refusal(
            f"server_threads is {threads}, this machine has {counted(most, 'logical CPU')}",
            f"set server_threads from 1 to {most}, or leave it unset",
        )
    wrong = _out_of_range(wanted)
    if wrong is not None:
        return wrong
    chosen = profile.decide(wanted.server_profile, nodes, cards)
    if isinstance(chosen, Refusal):
        return chosen
    sysctl = {}
    if wanted.tuning_swappiness is not None:
        sysctl["vm.swappiness"] = str(wanted.tuning_swappiness)
    if nodes > 1 and wanted.tuning_numa_balancing is not None:
        sysctl["kernel.numa_balancing"] = str(wanted.tuning_numa_balancing)
    numa = wanted.server_numa or ("distribute" if nodes > 1 else None)
    return TuningPlan(
        sysctl=sysctl,
        governor=wanted.tuning_governor,
        numa=None if numa == "off" else numa,
        threads=threads or cores,
        threads_batch=cores,
        load_mode=chosen.load_mode,
        numa_policy=chosen.numa_policy,
        drop_caches=chosen.drop_caches,
    )


def _out_of_range(wanted: Wanted) -> Refusal | None:
    for name, (least, most) in RANGES.items():
        value = getattr(wanted, name)
        if value is not None and not least <= value <= most:
            return Refusal(
                f"{name} is {value}, needs {least} to {most}",
                f"correct {name}, or set it to None to leave the kernel's own",
            )
    return None
