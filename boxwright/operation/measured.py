"""The speed that was measured on a host with just what is planned for it."""

from __future__ import annotations

from pyinfra.context import host

from boxwright import facts, plan
from boxwright.machine import Machine
from boxwright.plan import args_digest, hardware_digest
from boxwright.plan.results import Plan

ONE_RUN = (0.97, 1.0, 1.03)  # the same completion asked again differs by about that
SHORT_PROMPT_TOKENS = 1024  # predictions are of a context that is nearly empty
LONG_PROMPT_TOKENS = 512  # a shorter one fills no physical batch


def measured_on_host(made: Plan, machine: Machine) -> plan.Measured | None:
    """The last that `bench` measured with this release, model, arguments and hardware.

    Without one it is the completion that a deploy asks for; None where nothing was measured.
    """
    if made.runtime is None or made.model is None or made.server is None:
        return None
    wanted = (
        made.runtime.release,
        made.model.name,
        made.model.quant,
        args_digest(made.server),
        hardware_digest(machine),
    )
    benches: tuple[facts.BenchRecord, ...] = host.get_fact(facts.BenchRecords)
    for bench in reversed(benches):
        if _belonging(bench) == wanted and bench.points[0].prompt_tokens <= SHORT_PROMPT_TOKENS:
            return _of_bench(bench)
    completions: tuple[facts.DecodeRecord, ...] = host.get_fact(facts.DecodeRecords)
    for one in reversed(completions):
        if _belonging(one) == wanted:
            low, expected, high = (one.decode_tok_s * part for part in ONE_RUN)
            return plan.Measured((low, expected, high))
    return None


def _belonging(record: facts.BenchRecord | facts.DecodeRecord) -> tuple[str, ...]:
    return (record.release, record.model, record.quant, record.args_digest, record.hardware)


def _of_bench(record: facts.BenchRecord) -> plan.Measured:
    """Decode after its shortest prompt, prefill of its longest."""
    longest = record.points[-1]
    told = longest.prompt_tokens >= LONG_PROMPT_TOKENS
    return plan.Measured(record.points[0].decode, longest.prefill if told else None)
