"""How the speeds of two plans compare: whether one keeps up with the other, and in words."""

from __future__ import annotations

from boxwright.plan.results import Plan, Speed

KEPT = 0.9  # of decode and prefill: what an offer may cost of one for more of something else


def kept(before: Speed, after: Speed) -> bool:
    """Whether decode stays about as fast, also with a context of the depths that both tell of."""
    was, becomes = before.decode_at_depth_tok_s, after.decode_at_depth_tok_s
    pairs = [(was[depth], becomes[depth]) for depth in was.keys() & becomes.keys()]
    pairs.append((before.decode_tok_s[1], after.decode_tok_s[1]))
    return all(new >= KEPT * old for old, new in pairs)


def as_fast(before: Plan, after: Plan) -> bool:
    """Whether it costs little; of cards whose speed nobody knows, nothing at all."""
    if before.speed is None or after.speed is None:
        return before.placement == after.placement
    reads = after.speed.prefill_tok_s[1] >= KEPT * before.speed.prefill_tok_s[1]
    return reads and kept(before.speed, after.speed)


def cost(before: Plan, after: Plan) -> str:
    """What another plan costs, in words: speeds where its placement is another one."""
    if before.speed is None or after.speed is None or before.placement == after.placement:
        return "with the same placement"
    return speeds(before.speed, after.speed)


def speeds(before: Speed, after: Speed) -> str:
    """What becomes of prefill and decode, in words."""
    changes = (
        ("prefill", before.prefill_tok_s[1], after.prefill_tok_s[1]),
        ("decode", before.decode_tok_s[1], after.decode_tok_s[1]),
    )
    words = (
        f"{name} {new:g} instead of {old:g} tok/s" if new != old else f"{name} as it is"
        for name, old, new in changes
    )
    return f"predicted {', '.join(words)}"
