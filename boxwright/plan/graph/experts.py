"""A mixture of experts as llama.cpp computes it: the router, the chosen experts, their sum.

Source: `build_moe_ffn`, src/llama-graph.cpp, b11549.
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.tensors import Tensor


@dataclass(frozen=True)
class Routing:
    """How experts are chosen. `groups` of experts are narrowed down first where there are any.

    `softmax_last` weighs only the chosen ones (gpt-oss), `scaled_first` weighs what goes into
    them instead of what comes out (Llama 4), `normed` divides by their sum; `situ` is an activation
    of many steps (Kimi K3).
    """

    groups: int = 0
    groups_used: int = 0
    normed: bool = True
    scaled: bool = False
    softmax_last: bool = False
    scaled_first: bool = False
    situ: bool = False


def mixture(
    net: Net,
    block: Block,
    x: Tensor,
    routing: Routing,
    logits: Tensor | None = None,
    chosen: Tensor | None = None,
    suffix: str = "exps",
) -> Tensor:
    """The sum of the chosen experts' results; `logits` or `chosen` where a model brings its own.

    `suffix` names the experts' weights.
    """
    if logits is None:
        logits = net.linear(x, block, "ffn_gate_inp")
    probabilities = logits if routing.softmax_last else ops.over(logits)
    if chosen is None:
        chosen = ops.best(_selected(net, block, logits, probabilities, routing), block.used)
    weights = weighed(probabilities, chosen, routing, block.used)
    net.graph.expand(weights)
    hidden, tokens = x.ne[0], x.ne[1]
    x = ops.reshape(x, hidden, 1, tokens)
    if routing.scaled_first:
        x = ops.over(ops.made((hidden, block.used, tokens, 1), x), weights)
    results = _computed(net, block, x, chosen, suffix, routing)
    if not routing.scaled_first:
        results = ops.over(results, weights)
    net.graph.expand(results)
    return summed(net, results, block.used)


def _selected(
    net: Net, block: Block, logits: Tensor, probabilities: Tensor, routing: Routing
) -> Tensor:
    selected = logits if routing.scaled_first else probabilities
    bias = net.weight(block, "exp_probs_b.bias") or net.weight(block, "exp_probs_b")
    if bias is not None:
        selected = ops.over(selected, bias)
    if routing.groups <= 1:
        return selected
    experts, tokens = selected.ne[0], selected.ne[1]
    size = experts // routing.groups
    grouped = ops.reshape(selected, size, routing.groups, tokens)
    two = ops.best(grouped, 2)
    scores = ops.rows(ops.reshape(grouped, 1, size, routing.groups, tokens), two)
    sums = ops.row_sums(ops.reshape(scores, scores.ne[1], scores.ne[2], scores.ne[3]))
    best = ops.best(ops.reshape(sums, sums.ne[1], sums.ne[2]), routing.groups_used)
    kept = ops.rows(grouped, best)
    masked = ops.set_rows(ops.over(grouped), kept, best)
    return ops.reshape(masked, experts, tokens)


def weighed(probabilities: Tensor, chosen: Tensor, routing: Routing, used: int) -> Tensor:
    """How much each chosen expert counts."""
    experts, tokens = probabilities.ne[0], probabilities.ne[1]
    weights = ops.rows(ops.reshape(probabilities, 1, experts, tokens), chosen)
    if routing.softmax_last:
        weights = ops.reshape(ops.over(ops.reshape(weights, used, tokens)), 1, used, tokens)
    if routing.normed:
        weights = ops.reshape(weights, used, tokens)
        sums = ops.over(ops.row_sums(weights))
        weights = ops.reshape(ops.over(weights, sums), 1, used, tokens)
    return ops.over(weights) if routing.scaled else weights


def _computed(
    net: Net, block: Block, x: Tensor, chosen: Tensor, suffix: str, routing: Routing
) -> Tensor:
    """What each chosen expert makes of each token."""

    def through(name: str, source: Tensor) -> Tensor:
        weight = net.needed(block, f"{name}.weight")
        made = ops.multiply_experts(weight, source, chosen)
        scale = net.weight(block, f"{name}.scale")
        if scale is not None:
            experts, tokens = scale.ne[0], source.ne[2]
            spread = ops.made((1, experts, tokens, 1), ops.reshape(scale, 1, experts))
            made = ops.over(made, ops.rows(spread, chosen))
        bias = net.weight(block, f"{name}.bias")
        return ops.over(made, bias, chosen) if bias is not None else made

    if block.has(f"ffn_gate_up_{suffix}.weight"):
        both = through(f"ffn_gate_up_{suffix}", x)
        half = (both.ne[0] // 2, *both.ne[1:])
        middle = ops.glu(ops.view(both, half, both.nb), ops.view(both, half, both.nb))
    else:
        up = through(f"ffn_up_{suffix}", x)
        if block.has(f"ffn_gate_{suffix}.weight"):
            gate = through(f"ffn_gate_{suffix}", x)
            gated = ops.gated(gate, up, block.clamps[0])
            middle = situ(gate, up) if routing.situ else gated
        else:
            middle = ops.over(up)
    return through(f"ffn_down_{suffix}", middle)


def summed(net: Net, results: Tensor, used: int) -> Tensor:
    """The results of a token's experts, added one by one."""
    hidden, tokens = results.ne[0], results.ne[2]
    nb = (results.nb[0], results.nb[2], results.nb[2] * tokens, results.nb[2] * tokens)
    views = [ops.view(results, (hidden, tokens, 1, 1), nb) for _ in range(used)]
    for one in views:
        net.graph.expand(one)
    total = views[0]
    for one in views[1:]:
        total = ops.over(total, one)
        net.graph.expand(total)
    return ops.cont(total) if used == 1 else total


def situ(gate: Tensor, up: Tensor) -> Tensor:
    """Kimi K3's activation: the product of squashed gates, not fused."""
    first = ops.over(ops.over(ops.over(gate)))
    first = ops.over(first, ops.over(gate))
    return ops.over(first, ops.over(ops.over(ops.over(up))))
