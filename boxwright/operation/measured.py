"""The speed that was measured on a host with just what is planned for it."""

from __future__ import annotations

from pyinfra.context import host

from boxwright import facts, plan
from boxwright.plan import args_digest
from boxwright.plan.results import Plan

ONE_RUN = (0.97, 1.0, 1.03)  # the same completion asked again differs by about that
LONG_PROMPT_TOKENS = 512  # a shorter one fills no physical batch


def measured_on_host(made: Plan) -> plan.Measured | None:
    """The last that `bench` measured with this release, model and arguments.

    Without one it is the completion that a deploy asks for; None where nothing was measured.
    """
    if made.runtime is None or made.model is None or made.server is None:
        return None
    wanted = (
        made.runtime.release,
        made.model.name,
        made.model.quant,
        args_digest(made.server.args),
    )
    benches: tuple[facts.BenchRecord, ...] = host.get_fact(facts.BenchRecords)
    for bench in reversed(benches):
        if (bench.release, bench.model, bench.quant, bench.args_digest) == wanted:
            return of_bench(bench)
    completions: tuple[facts.DecodeRecord, ...] = host.get_fact(facts.DecodeRecords)
    for one in reversed(completions):
        if (one.release, one.model, one.quant, one.args_digest) == wanted:
            low, expected, high = (one.decode_tok_s * part for part in ONE_RUN)
            return plan.Measured((low, expected, high))
    return None


def of_bench(record: facts.BenchRecord) -> plan.Measured:
    """Decode after its shortest prompt, prefill of its longest."""
    longest = record.points[-1]
    told = longest.prompt_tokens >= LONG_PROMPT_TOKENS
    return plan.Measured(record.points[0].decode, longest.prefill if told else None)
