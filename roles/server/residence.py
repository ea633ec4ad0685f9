"""Whether the weights that belong in host RAM are locked there, and why not (pure).

A failed mlock is only a line in llama-server's log, so what the kernel counts is compared with the
plan (design, decision 4; reference/llama-cpp.md, section 5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from boxwright.facts import ServiceState
from boxwright.plan.results import Refusal

TOLERANCE = 0.02
ROUNDING_MIB = 1  # the plan's figure is rounded up: 70 KiB of embeddings are planned as 1 MiB
ROUNDED_UP_MIB = 1  # a plan's figures are whole MiB; with everything on the GPU it is all there is
FAILED_MLOCK = re.compile(r"failed to mlock.*", re.IGNORECASE)
CAPABILITY_DROPIN = "server_dropins with the lines [Service] and AmbientCapabilities=CAP_IPC_LOCK"


def wants_lock(args: tuple[str, ...]) -> bool:
    """Whether these arguments ask for locked weights, in either spelling."""
    pairs = zip(args, (*args[1:], ""), strict=False)
    return any(
        flag == "--mlock" or (flag in ("--load-mode", "-lm") and "mlock" in value)
        for flag, value in pairs
    )


def resident_mib(service: ServiceState) -> float:
    """What cannot be swapped: locked, pinned, and mapped from a GPU's driver.

    CUDA's pinned memory counts neither as locked nor as pinned: it is seen as a mapping of the
    device or of shared zero pages, the latter only where a GPU's driver is in use at all.
    """
    zero_mib = service.mapped_zero_mib if service.mapped_device_mib else 0.0
    return service.vm_lck_mib + service.vm_pin_mib + service.mapped_device_mib + zero_mib


def residence(service: ServiceState, need_mib: int, journal: Iterable[str]) -> Refusal | None:
    """None if at least `need_mib` (less 2 %, or 1 MiB) are resident, else reason and cure."""
    found_mib = resident_mib(service)
    if found_mib >= need_mib - max(need_mib * TOLERANCE, ROUNDED_UP_MIB):
        return None
    said = next((m.group(0) for m in map(FAILED_MLOCK.search, reversed([*journal])) if m), None)
    why = [f"limit of locked memory {_limit(service.memlock_limit)}"]
    if not service.cap_ipc_lock:
        why.append("no CAP_IPC_LOCK")
    if said:
        why.append(f"its log: {said.strip()}")
    reason = (
        f"{found_mib:.0f} MiB of the model's weights in host RAM are locked there"
        f" (VmLck {service.vm_lck_mib:.0f} MiB), needed {need_mib} MiB ({'; '.join(why)})"
    )
    if service.memlock_limit != "unlimited" and not service.cap_ipc_lock:
        return Refusal(
            reason,
            "the unit asks for LimitMEMLOCK=infinity, which this system does not grant (a"
            " container whose limit is lower); raise the limit outside, or give the service"
            f" CAP_IPC_LOCK by {CAPABILITY_DROPIN}",
        )
    return Refusal(
        reason,
        "free host RAM or choose a smaller quant, or turn locking off with server_load_mode ="
        ' "none" and accept that the weights may be swapped',
    )


def _limit(limit: str) -> str:
    return limit if limit == "unlimited" else f"{limit} bytes"
