"""The parts that llama.cpp builds its models from: norms, projections, attention, feed-forward.

Source: src/llama-graph.cpp, b11549. What a layer has is told by its tensors; a part that a model
lacks is left out, as llama.cpp leaves out what is a null pointer.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from boxwright.plan.graph import ops
from boxwright.plan.graph.block import Batch, Block, Dims, MissingTensor
from boxwright.plan.graph.tensors import F16, F32, I32, I64, Graph, Kind, Shape, Tensor, shape

# what --cpu-moe moves (LLM_FFN_EXPS_REGEX, common/common.h)
EXPERTS = re.compile(r"ffn_(up|down|gate|gate_up)_(ch|)exps")


@dataclass
class Net:
    """A graph in the making, with the inputs that several layers share.

    `picked` are the rows that the last indexer chose, `values` those of the first layer (RWKV 7),
    `position_parts` how many numbers place a token, `embedded` the rows of which later layers take
    a part of their own, `crosses` whether some layers lie in host RAM and others on GPUs.
    """

    batch: Batch
    outside: Dims
    host: int
    output_device: int
    slides: bool = False
    graph: Graph = field(default_factory=Graph)
    inputs: dict[str, Tensor] = field(default_factory=dict)
    weights: dict[tuple[int, str], Tensor] = field(default_factory=dict)
    layer: int = -1
    picked: Tensor | None = None
    crosses: bool = False
    position_parts: int = 1
    embedded: Tensor | None = None
    seen: Tensor | None = None
    values: Tensor | None = None
    wide_mask: Tensor | None = None

    def begin(self, block: Block) -> None:
        """Go on with this layer."""
        self.layer = block.number
        self.graph.cut()

    def input(self, name: str, ne: Shape, kind: Kind = F32) -> Tensor:
        """An input that the host fills; made once, by name."""
        if name not in self.inputs:
            made = Tensor(ne, kind)
            made.input = True
            self.inputs[name] = made
        return self.inputs[name]

    def look(self, name: str, whole: Tensor, elements: int) -> Tensor:
        """A view of an input's part that several layers share; each device gets one copy of it."""
        if name not in self.inputs:
            self.inputs[name] = ops.view(whole, shape(elements), whole.nb)
        return self.inputs[name]

    def positions(self) -> Tensor:
        """Where each token stands."""
        return self.input("positions", shape(self.batch.tokens * self.position_parts), I32)

    def tempered(self, query: Tensor) -> Tensor:
        """Queries times a number for each token (`build_inp_attn_scale`)."""
        return ops.over(query, self.input("query scales", shape(1, 1, self.batch.tokens)))

    def weight(self, block: Block | None, name: str) -> Tensor | None:
        """A weight in the memory of its layer's device (None: outside the layers)."""
        dims = (self.outside if block is None else block.dims).by_name
        if name not in dims:
            return None
        key = (id(block), name)
        if key not in self.weights:
            made = Tensor(shape(*dims[name]), F32)
            made.weight = True
            if block is None:
                made.home = self.output_device
            else:
                made.home = block.experts if EXPERTS.match(name) else block.device
            self.weights[key] = made
        return self.weights[key]

    def beside(self, block: Block, *names: str) -> Tensor | None:
        """The first of these weights outside layers that is there; each device has a copy."""
        for name in names:
            if name in self.outside.by_name:
                key = (self.layer, name)
                if key not in self.weights:
                    made = Tensor(shape(*self.outside.by_name[name]), F32)
                    made.weight, made.home = True, block.device
                    self.weights[key] = made
                return self.weights[key]
        return None

    def cache(self, block: Block, elements: int, rows: int, kind: Kind) -> Tensor:
        """A layer's part of a cache, in the memory of its device."""
        made = Tensor((elements, rows, self.batch.streams, 1), kind)
        made.home = block.cache_device
        return made

    def norm(self, x: Tensor, block: Block | None, name: str, centred: bool = False) -> Tensor:
        """A norm with its weight and bias; `centred` is the older one, which subtracts the mean.

        llama.cpp holds it to its layer's device (`graph_get_cb`), but forgets that when it only
        measures (`ggml_backend_sched_reserve_size` resets what was set).
        """
        weight = self.weight(block, f"{name}.weight") or self.weight(block, name)
        bias = self.weight(block, f"{name}.bias")
        made = ops.apart(x) if centred else ops.over(x)
        if weight is not None:
            made = ops.over(made, weight)
        return ops.over(made, bias) if bias is not None else made

    def needed(self, block: Block | None, name: str) -> Tensor:
        """A weight that the architecture cannot do without; raises MissingTensor."""
        found = self.weight(block, name)
        if found is None:
            raise MissingTensor(name)
        return found

    def linear(self, x: Tensor, block: Block | None, name: str) -> Tensor:
        """A projection with its bias."""
        made = ops.multiply(self.needed(block, f"{name}.weight"), x)
        scale = self.weight(block, f"{name}.scale")
        if scale is not None:
            made = ops.over(made, scale)
        bias = self.weight(block, f"{name}.bias")
        return ops.over(made, bias) if bias is not None else made

    def feed_forward(self, x: Tensor, block: Block, suffix: str = "") -> Tensor:
        """`build_ffn`: gated where there is a gate, or where `up` holds both halves."""
        up = self.linear(x, block, f"ffn_up{suffix}") if block.has(f"ffn_up{suffix}.weight") else x
        down = block.dims.by_name[f"ffn_down{suffix}.weight"]
        if block.has(f"ffn_gate{suffix}.weight"):
            gate = self.linear(x, block, f"ffn_gate{suffix}")
            middle = ops.gated(gate, up, block.clamps[1])
        elif up.ne[0] == 2 * down[0]:
            middle = ops.glu(up)
        else:
            middle = ops.over(up)
        if block.has(f"ffn_sub_norm{suffix}.weight"):
            middle = self.norm(middle, block, f"ffn_sub_norm{suffix}")
        return self.linear(middle, block, f"ffn_down{suffix}")

    def rotation(self, block: Block, part: str, size: int) -> Tensor | None:
        """The Hadamard matrix by which quantised caches are rotated (llama-kv-cache.cpp)."""
        if self.batch.cache.elements == 1 or not size or size % 64:
            return None
        side = 64
        while part == "k" and size % (2 * side) == 0:
            side *= 2
        window = "" if block.window is None else "window"
        return self.input(f"rotation {part} {window}", shape(side, side))

    def rotated(self, x: Tensor, rotation: Tensor | None) -> Tensor:
        """`llama_mul_mat_hadamard`."""
        if rotation is None:
            return x
        side = rotation.ne[0]
        count = x.elements // side
        flat = ops.reshape(x, side, count) if x.contiguous else ops.cont(x, side, count)
        return ops.reshape(ops.multiply(rotation, flat), *x.ne)

    def cells(self, block: Block) -> int:
        """Rows of this layer's cache."""
        return self.batch.cells if block.window is None else self.batch.window_cells

    def mask(self, block: Block) -> Tensor:
        """Who sees whom, F16 as flash attention needs it."""
        batch, cells = self.batch, self.cells(block)
        name = "mask" if block.window is None else "mask window"
        return self.input(name, (cells, batch.tokens // batch.streams, 1, batch.streams), F16)

    def store(self, block: Block, cache: Tensor, x: Tensor, part: str) -> None:
        """Write the batch's rows into a cache."""
        ids = self.input(f"ids {part} {block.window is None}", shape(self.batch.tokens), I64)
        flat = ops.view(
            x,
            shape(x.ne[0] * x.ne[1], x.ne[2]),
            (x.nb[0], x.nb[2], x.nb[2] * x.ne[2], x.nb[2] * x.ne[2]),
        )
        target = cache
        if self.batch.streams > 1:
            target = ops.reshape(cache, cache.ne[0], cache.ne[1] * cache.ne[2])
        self.graph.expand(ops.set_rows(target, flat, ids))

    def attention(
        self,
        block: Block,
        q: Tensor,
        k: Tensor | None,
        v: Tensor | None,
        project: bool = True,
        sinks: Tensor | None = None,
    ) -> Tensor:
        """`build_attn` with a cache of K and V; without k it reads what another layer keeps."""
        turn_k = self.rotation(block, "k", block.head_k)
        turn_v = self.rotation(block, "v", block.head_v)
        q = self.rotated(q, turn_k)
        k = self.rotated(k, turn_k) if k is not None else None
        v = self.rotated(v, turn_v) if v is not None else None
        order = (q, k, v) if self.slides else (q, v, k)
        for one in order:
            if one is not None:
                self.graph.expand(one)
        cells, kind = self.cells(block), self.batch.cache
        k_cache = self.cache(block, block.cached_k, cells, kind)
        v_cache = self.cache(block, block.cached_v, cells, kind)
        if k is not None and v is not None:
            self.store(block, k_cache, k, "k")
            self.store(block, v_cache, v, "v")
        streams = self.batch.streams
        k_view = ops.reshape(k_cache, block.head_k, block.heads_kv, cells, streams)
        v_view = ops.reshape(v_cache, block.head_v, block.heads_kv, cells, streams)
        made = self.attended(q, k_view, v_view, self.seen or self.mask(block), sinks)
        made = self.rotated(made, turn_v)
        return self.linear(made, block, "attn_output") if project else made

    def attended(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor, sinks: Tensor | None = None
    ) -> Tensor:
        """`build_attn_mha` with flash attention; heads side by side in each row."""
        streams = k.ne[3]
        each = q.ne[2] // streams
        q = ops.view(q, (*q.ne[:2], each, streams), (*q.nb[:3], q.nb[2] * each))
        q, k, v = (ops.permute(one, 0, 2, 1, 3) for one in (q, k, v))
        made = ops.attend(q, ops.half(k), ops.half(v), mask, sinks)
        made = ops.reshape(made, made.ne[0] * made.ne[1], made.ne[2] * made.ne[3])
        self.graph.expand(made)
        return made
