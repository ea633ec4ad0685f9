"""Proofs of the tuning, read from the running kernel; they change nothing."""

from __future__ import annotations

from pyinfra.context import host

from boxwright.operation import Commands, noop, operation, refuse
from boxwright.plan.results import Refusal
from roles.tuning.state import Governors, KernelSettings, differing, planned_tuning

CURE = "look for another program or file that sets it (sysctl.d, tuned), then run deploy/all.py"


@operation
def prove_kernel() -> Commands:
    """Prove that the kernel holds the planned value of every key it has."""
    tuning = yield from planned_tuning()
    if tuning is None:
        return
    live = host.get_fact(KernelSettings, keys=sorted(tuning.sysctl))
    wrong = differing(tuning.sysctl, live)
    if wrong:
        found = ", ".join(f"{key} is {live[key]}, needed {value}" for key, value in wrong.items())
        yield from refuse(Refusal(found, CURE))
        return
    noop("the kernel's settings are as planned")


@operation
def prove_governor() -> Commands:
    """Prove that every CPU uses the planned governor, where there is one to use."""
    tuning = yield from planned_tuning()
    if tuning is None:
        return
    state = host.get_fact(Governors)
    settable = tuning.governor is not None and state.used
    if not settable or (state.offered and tuning.governor not in state.offered):
        noop("no CPU governor is to be set here")
        return
    if state.used != {tuning.governor}:
        used = ", ".join(sorted(state.used))
        yield from refuse(
            Refusal(f"the CPU governor is {used}, needed {tuning.governor} on every CPU", CURE)
        )
        return
    noop(f"the CPU governor is {tuning.governor}")
