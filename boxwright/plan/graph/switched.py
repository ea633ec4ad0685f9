"""Granite Switch as a graph: each token's adapter is found by an attention of its own.

All projections add what the token's adapter makes of their input, as experts do. The router is the
last of the layers that are spread over devices, but the first that is computed.
Source: src/models/granite-switch.cpp, b11669.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.net import Net
from boxwright.plan.graph.style import Style
from boxwright.plan.graph.tensors import F32, I32, Graph, Tensor, shape


def build(net: Net, blocks: Sequence[Block], style: Style) -> Graph:
    """The graph of one batch; the first of the blocks is the router."""
    router, *layers = blocks
    table = Tensor(shape(*net.outside.by_name["token_embd.weight"]), F32)
    table.home, table.weight = net.host, True
    x = ops.rows(table, net.input("tokens", shape(net.batch.tokens), I32))
    x = ops.over(x) if style.inputs.multiplied else x
    net.begin(router)
    ids = _adapters(net, replace(router, heads=1, heads_kv=1))
    for block in layers:
        net.begin(block)
        x, ids = _layer(net, block, style, (x, ids), block is layers[-1])
    x = net.norm(x, None, "output_norm")
    head = net.weight(None, "output.weight") or net.needed(None, "token_embd.weight")
    net.graph.expand(ops.over(ops.multiply(head, x)))
    return net.graph


def _adapters(net: Net, router: Block) -> Tensor:
    """The number of each token's adapter."""
    tokens = net.batch.tokens
    q, k, v = (
        ops.made(
            shape(size, 1, tokens),
            ops.reshape(net.input(f"router {part}", shape(tokens)), 1, 1, tokens),
        )
        for part, size in (("q", router.head_k), ("k", router.head_k), ("v", router.head_k))
    )
    made = net.attention(router, q, k, v, project=False)
    slots = ops.cont(ops.view(made, shape(1, tokens), made.nb))
    return ops.cast(ops.over(ops.over(ops.reshape(slots, tokens))), I32)


def _layer(
    net: Net, block: Block, style: Style, before: tuple[Tensor, Tensor], last: bool
) -> tuple[Tensor, Tensor]:
    x, ids = before
    cur = _attention(net, block, net.norm(x, block, "attn_norm"), ids)
    if last:
        rows = net.input("outputs", shape(net.batch.outputs), I32)
        cur, x = ops.rows(cur, rows), ops.rows(x, rows)
        ids = ops.reshape(ops.rows(ops.reshape(ids, 1, ids.ne[0]), rows), rows.ne[0])
    inside = ops.over(ops.over(cur) if style.residual_scaled else cur, x)
    cur = net.norm(inside, block, "ffn_norm")
    gate, up = (_switched(net, block, cur, ids, f"ffn_{name}") for name in ("gate", "up"))
    cur = _switched(net, block, ops.over(ops.over(gate), up), ids, "ffn_down")
    return ops.over(ops.over(cur) if style.residual_scaled else cur, inside), ids


def _attention(net: Net, block: Block, x: Tensor, ids: Tensor) -> Tensor:
    tokens = net.batch.tokens
    joined = net.linear(x, block, "attn_qkv")
    q, k, v = (
        ops.reshape(
            ops.over(
                ops.cont(ops.part(joined, size * heads, tokens)),
                _adapted(net, block, x, ids, f"attn_{part}"),
            ),
            size, heads, tokens,
        )
        for part, size, heads in (
            ("q", block.head_k, block.heads),
            ("k", block.head_k, block.heads_kv),
            ("v", block.head_v, block.heads_kv),
        )
    )  # fmt: skip
    if block.ropes:
        q, k = (ops.rope(one, net.positions()) for one in (q, k))
    made = net.attention(block, q, k, v, project=False)
    return _switched(net, block, made, ids, "attn_output")


def _switched(net: Net, block: Block, x: Tensor, ids: Tensor, name: str) -> Tensor:
    """A projection with each token's adapter."""
    return ops.over(net.linear(x, block, name), _adapted(net, block, x, ids, name))


def _adapted(net: Net, block: Block, x: Tensor, ids: Tensor, name: str) -> Tensor:
    """What each token's adapter makes of it."""
    tokens = x.ne[1]
    chosen = ops.reshape(ids, 1, tokens)
    made = ops.reshape(x, x.ne[0], 1, tokens)
    for part in "ab":
        weights = net.needed(block, f"{name}.lora_{part}")
        made = ops.multiply_experts(weights, made, chosen)
    return ops.reshape(made, made.ne[0], tokens)
