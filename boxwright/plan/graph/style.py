"""What an architecture's graph does that its tensors do not tell.

Data read from `build_arch_graph` of each architecture (src/models/*.cpp, b11549). One that is not
named here is built as most are: norm, attention, sum, norm, feed-forward, sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from boxwright.plan.graph import geometry, positions, traits
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.blockwise import Blockwise
from boxwright.plan.graph.compressed import Compression
from boxwright.plan.graph.experts import Routing
from boxwright.plan.graph.inputs import Inputs, stack_of
from boxwright.plan.graph.latent import Latent
from boxwright.plan.graph.metadata import Metadata
from boxwright.plan.graph.pools import Pools
from boxwright.plan.graph.recurrent import Recurrence


@dataclass(frozen=True)
class Style:
    """How one model is put together; the tables are in traits.py.

    `form` names a layer of its own (forms.py), `head` is the width of RWKV's heads. Without `flash`
    attention keeps its scores, without `cached` nothing else. `feeds_normed` gives the feed-forward
    part what attention read where that has no norm of its own (StableLM 2 12B), `output_scaled`
    scales what the output reads, beside the norm that is kept (t_embd). `sparse_layers` are the
    first ones, whose feed-forward part keeps its largest activations (Gemma 3n); `gate_divided` has
    the shared expert's gate as a SiLU that is divided by what it is of. `run` is how many layers
    are run several times (Nanbeige; 0: all once), `normed_between` whether with norms in between;
    `stack` how many layers each of two stacks has that are run in cycles, the low one `low_runs`
    times in each (HRM-Text). `switched` finds by an attention of its own which adapter a token has.
    """

    centred: bool = False
    parallel: str = ""
    bare_norms: bool = False
    first_norm: bool = False
    patchy: bool = False
    logits_copied: bool = False
    one_part: bool = False
    beside: bool = False
    flat_norms: bool = False
    gated_query: bool = False
    gate_first: bool = False
    gate_divided: bool = False
    expand_norm: bool = False
    normed_values: bool = False
    inputs: Inputs = field(default_factory=Inputs)
    residual_scaled: bool = False
    form: str = ""
    head: int = 0
    cached: bool = True
    flash: bool = True
    clamped: bool = False
    clamps: bool = False
    feeds_normed: bool = False
    rows_chosen: bool = True
    output_scaled: bool = False
    output_on_host: bool = False
    before_first: bool = False
    inside_first: bool = False
    hidden_kept: bool = False
    headless: bool = False
    output_norm: str = "output_norm"
    query_scaled: bool = False
    rope: bool = True
    rope_in_windows_only: bool = False
    roped_first: int = 0
    rope_pattern: tuple[bool, ...] = ()
    grouped_norms: bool = False
    value_experts_used: int = 0
    no_rope_step: int = 0
    tempered: bool = False
    tempered_without_rope: bool = False
    position_parts: int = 1
    banks_every: int | None = None
    run: int = 0
    normed_between: bool = False
    pools: Pools | None = None
    streams_apart: bool = False
    streams_gated: bool = False
    gram_size: int = 0
    sparse_layers: int = 0
    stack: int = 0
    low_runs: int = 0
    switched: bool = False
    routing: Routing = field(default_factory=Routing)
    recurrence: Recurrence | None = None
    latent: Latent | None = None
    compression: Compression | None = None
    blockwise: Blockwise | None = None

    @property
    def copies_parts(self) -> bool:
        """Whether q, k and v are copied out of a joined projection (`reshape` of build_qkv)."""
        return self.flat_norms or self.gated_query or self.clamps

    def ends_run(self, layer: int) -> bool:
        """Whether what this layer made is normed before all layers are run again."""
        return self.normed_between and (layer + 1) % self.run == 0

    def by_number(self, layer: int) -> tuple[int, bool, bool, bool, bool, int]:
        """What a layer's number decides of it, beside its tensors."""
        stack = self.inputs.stack
        return (
            layer if self.banks_every is not None else 0,
            layer < self.sparse_layers,
            layer in stack.before,
            layer in stack.after,
            self.ends_run(layer),
            layer + 1 if self.stack and layer % self.stack in (0, self.stack - 1) else 0,
        )

    def ropes(self, layer: int, window: int | None) -> bool:
        """Whether this layer's attention is rotary."""
        if self.rope_pattern:
            return self.rope_pattern[layer]
        if self.rope_in_windows_only:
            return window is not None or layer < self.roped_first
        if self.no_rope_step:
            return (layer + 1) % self.no_rope_step != 0
        return self.rope

    def scales_by_position(self, block: Block) -> bool:
        """Whether each token's query is multiplied by a number that its position gives."""
        return self.tempered or (self.tempered_without_rope and not block.ropes)


def style_of(architecture: str, metadata: Metadata) -> Style:
    """The style of a model of this architecture."""
    loops = metadata.at("num_loops") if architecture == "nanbeige" else 1
    return Style(
        centred=traits.centred(architecture, metadata),
        parallel=traits.parallel(architecture, metadata),
        bare_norms=architecture in traits.NORMS_WITHOUT_WEIGHTS,
        first_norm=architecture in traits.FIRST_NORM,
        grouped_norms=architecture == "k2-horizon",
        value_experts_used=metadata.at("attention.value_expert_used_count"),
        patchy=architecture == "deci",
        logits_copied=architecture == "chameleon",
        one_part=architecture in traits.ONE_PART,
        beside=architecture == "falcon-h1",
        flat_norms=architecture in traits.FLAT_NORMS,
        gated_query=architecture in traits.GATED_QUERY,
        gate_first=architecture in traits.GATE_FIRST,
        gate_divided=architecture == "qwen2moe",
        expand_norm=architecture in traits.EXPAND_NORM,
        normed_values=architecture in ("gemma-embedding2", "gemma3n", "gemma4"),
        inputs=Inputs(
            mixed=architecture not in traits.NOT_MIXED,
            scaled=architecture in traits.EMBEDDINGS_SCALED,
            multiplied=traits.multiplies_embeddings(architecture, metadata),
            stack=stack_of(metadata),
        ),
        residual_scaled=traits.scales_residuals(architecture, metadata),
        form=architecture if architecture in traits.FORMED else "",
        head=metadata.at("wkv.head_size"),
        cached=architecture not in traits.UNCACHED,
        flash=architecture != "grok",
        clamped=metadata.number("attention.clamp_kqv") > 0,
        clamps=architecture == "step35",
        feeds_normed=architecture == "stablelm",
        rows_chosen=architecture != "cogvlm",
        output_scaled=architecture == "minicpm3",
        output_on_host=architecture == "bitnet",
        before_first=architecture in traits.BEFORE_FIRST,
        inside_first=architecture in traits.INSIDE_FIRST,
        hidden_kept=architecture in traits.HIDDEN_KEPT,
        headless=architecture in traits.HEADLESS,
        output_norm=traits.output_norm(architecture),
        query_scaled=architecture in traits.QUERY_SCALED,
        rope=traits.rope(architecture, metadata),
        rope_in_windows_only=architecture in traits.ROPE_IN_WINDOWS_ONLY
        or (architecture == "smallthinker" and metadata.at("attention.sliding_window") > 0),
        roped_first=traits.roped_first(architecture, metadata),
        rope_pattern=metadata.flags("attention.rope_pattern"),
        no_rope_step=4 if architecture in ("llama4", "smollm3", "afmoe") else 0,
        tempered=traits.tempered(architecture, metadata),
        tempered_without_rope=architecture == "llama4",
        position_parts=positions.parts(architecture, metadata),
        banks_every=metadata.at("attn_res.block_size") if architecture == "kimi-k3" else None,
        run=metadata.at("block_count") if loops > 1 else 0,
        normed_between=loops > 1 and not metadata.number("skip_loop_final_norm"),
        gram_size=metadata.at("ple.ngram_size"),
        streams_gated=architecture == "qwen4exp",
        streams_apart=architecture == "hy_v4",
        pools=geometry.pools(metadata) if architecture in ("glm5-next", "qwen4exp") else None,
        routing=geometry.routing(architecture, metadata),
        recurrence=geometry.recurrence(metadata),
        latent=geometry.latent(architecture, metadata),
        compression=geometry.compression(metadata) if architecture == "deepseek4" else None,
        blockwise=geometry.blockwise(metadata) if architecture == "minimax-m3" else None,
        stack=metadata.at("hrm.layers_per_stack"),
        low_runs=metadata.at("hrm.l_cycles"),
        switched=architecture == "graniteswitch",
        sparse_layers=10 if architecture == "gemma3n" else 0,
    )
