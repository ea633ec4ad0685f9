"""Measuring how fast host RAM is read: by all cores, each on memory of its own NUMA node."""

from __future__ import annotations

import json

from pyinfra.api import QuoteString
from pyinfra.context import host

from boxwright.operation import (
    Ask,
    Commands,
    available_packages,
    install_packages,
    installed_packages,
    machine_of_host,
    modules_digest,
    noop,
    operation,
    option,
    write_whole,
)
from roles.bench.bandwidth import block_mib, cores_of, read_gb_s, script

PACKAGE = "sysbench"
MEASURED_PATH = "/var/lib/boxwright/memory.json"


@operation
def have_sysbench() -> Commands:
    """Have sysbench, where a source of packages has it (EPEL on Rocky and AlmaLinux)."""
    if not option("bench_memory") or installed_packages([PACKAGE]):
        noop("nothing is missing")
        return
    if not available_packages([PACKAGE]):
        noop(f"no source of packages has {PACKAGE}: host RAM is not measured")
        return
    yield from install_packages([PACKAGE])


@operation
def measure_memory() -> Commands:
    """Read memory for some seconds, and keep the sum of all nodes where the probe finds it."""
    if not option("bench_memory") or not installed_packages([PACKAGE]):
        noop("host RAM is not measured")
        return
    machine = machine_of_host()
    cores = machine.cpu.cores
    each_mib = block_mib(cores, machine.memory.available_mib)
    if each_mib is None:
        noop(f"{machine.memory.available_mib} MiB of RAM are too few to measure with")
        return
    # a node may be processors without memory, or memory without processors
    cpus = [node.cpus for node in machine.numa if node.cpus and node.memory_mib]
    nodes = [(one, cores_of(one, cores, machine.cpu.threads)) for one in cpus] or [("", cores)]
    ask = Ask("sh", "-c", QuoteString(script(nodes, each_mib)))
    yield ask
    gb_s = read_gb_s(ask.lines, len(nodes))
    if gb_s is None:
        said = next(iter((*ask.said, *ask.lines)[-1:]), "nothing")
        host.log(f"host RAM was not measured; {PACKAGE} said: {said}")
        return
    host.log(f"host RAM: {gb_s:.1f} GB/s read by {sum(count for _, count in nodes)} cores")
    measured = {"read_gb_s": round(gb_s, 1), "modules": modules_digest(machine)}
    yield write_whole(MEASURED_PATH, json.dumps(measured) + "\n")
