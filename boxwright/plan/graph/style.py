"""What an architecture's graph does that its tensors do not tell.

Data read from `build_arch_graph` of each architecture (src/models/*.cpp, b11549). One that is not
named here is built as most are: norm, attention, sum, norm, feed-forward, sum.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from boxwright.plan.graph import positions
from boxwright.plan.graph.block import Block
from boxwright.plan.graph.blockwise import Blockwise
from boxwright.plan.graph.compressed import Compression
from boxwright.plan.graph.experts import Routing
from boxwright.plan.graph.indexer import Indexer
from boxwright.plan.graph.inputs import Inputs, stack_of
from boxwright.plan.graph.latent import Latent
from boxwright.plan.graph.metadata import Metadata
from boxwright.plan.graph.pooled import Pools
from boxwright.plan.graph.recurrent import Recurrence

# norms that subtract the mean (LLM_NORM) take memory of their own
CENTRED = frozenset(
    {
        "bloom", "codeshell", "cohere2", "cohere2moe", "command-r", "dbrx", "falcon", "gpt2",
        "gptneox", "jais", "jais2", "mpt", "nemotron", "olmo", "orion", "phi2", "rwkv6", "rwkv7",
        "stablelm", "starcoder", "starcoder2",
    }
)  # fmt: skip
# attention and feed-forward beside each other, and the order in which they and what came in are
# summed: f, a, x
PARALLEL = {
    "cohere2": "fxa", "cohere2moe": "fxa", "command-r": "fxa", "falcon": "fax", "gptneox": "fxa",
    "phi2": "afx", "plamo": "fax",
}  # fmt: skip
# one part per layer: a recurrence, attention or feed-forward
ONE_PART = frozenset({"mamba", "mamba2", "nemotron_h", "nemotron_h_moe"})
# q and k are normed over all heads before they are cut into heads
FLAT_NORMS = frozenset({"minimax-m2", "olmo2", "olmoe"})
# the query's projection brings a gate for the output
GATED_QUERY = frozenset({"qwen35", "qwen35moe", "qwen3next", "qwen4exp"})
GATE_FIRST = frozenset({"qwen35", "qwen35moe", "qwen4exp"})
# a layer's first norm is computed before all else of it
EXPAND_NORM = GATED_QUERY | {"kimi-linear"}
NO_ROPE = frozenset(
    {
        "bloom", "glm5-next", "gpt2", "jais", "jamba", "kimi-k3", "kimi-linear", "mpt",
        "nemotron_h", "nemotron_h_moe", "refact", "starcoder",
    }
)  # fmt: skip
# embeddings are normed
FIRST_NORM = frozenset({"bloom", "muse-glimmer", "rwkv6", "rwkv7"})
NORMS_WITHOUT_WEIGHTS = frozenset({"olmo"})
ROPE_IN_WINDOWS_ONLY = frozenset(
    {"cohere2", "cohere2moe", "exaone-moe", "exaone4", "maple", "muse-glimmer"}
)
EMBEDDINGS_SCALED = frozenset({"gemma3", "gemma3n", "gemma4"})
EMBEDDINGS_MULTIPLIED = frozenset({"afmoe", "gemma", "gemma2", "grok", "minicpm", "minicpm3"})
# architectures whose queries are scaled apart from attention
QUERY_SCALED = frozenset({"gemma", "gemma2", "gemma3", "phi2", "phi3", "phimoe"})
# sums in which what came in stands first: before the feed-forward part, and after it
BEFORE_FIRST = frozenset({"jamba", "lfm2", "lfm2moe", "openelm"})
INSIDE_FIRST = frozenset({"jamba", "lfm2", "lfm2moe", "phi3", "phimoe"})
# the last hidden state is kept beside its norm for drafting (t_h_nextn)
HIDDEN_KEPT = frozenset({"gpt-oss", "mimo2", "step35"})
# the chosen experts' weights are normed only where the metadata say so (expert_weights_norm)
NORMED_BY_METADATA = frozenset(
    {
        "afmoe", "bailingmoe", "bailingmoe2", "bailingmoe3", "cohere2moe", "deepseek2",
        "deepseek2-ocr", "deepseek32", "deepseek4", "dots1", "exaone-moe", "glm-dsa", "glm4moe",
        "glm5-next", "hy_v3", "hy_v4", "k2-horizon", "kimi-k3", "laguna", "minimax-m3",
        "nemotron_h_moe", "step35",
    }
)  # fmt: skip
NEVER_NORMED = frozenset(
    {"deepseek", "gpt-oss", "jamba", "llada-moe", "llama4", "olmoe", "qwen2moe"}
)
# whole layers that are put together otherwise (forms.py)
FORMED = frozenset({"arctic", "grok", "grovemoe", "smallthinker"})
# diffusion: nothing is kept from batch to batch
UNCACHED = frozenset({"dream", "llada", "llada-moe", "rnd1"})
# batches of tokens and embeddings mixed (llm_arch_supports_mixed_batch)
NOT_MIXED = frozenset(
    {"cogvlm", "deepseek4", "dflash", "eagle3", "gemma4-assistant", "granite_switch"}
)


@dataclass(frozen=True)
class Style:
    """How one model is put together; see the tables above.

    `form` names a layer of its own (forms.py), `head` is the width of RWKV's heads. Without `flash`
    attention keeps its scores, without `cached` nothing else. `feeds_normed` gives the feed-forward
    part what attention read where that has no norm of its own (StableLM 2 12B), `output_scaled`
    scales what the output reads, beside the norm that is kept (t_embd).
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
    output_norm: str = "output_norm"
    query_scaled: bool = False
    rope: bool = True
    rope_in_windows_only: bool = False
    roped_first: int = 0
    rope_pattern: tuple[bool, ...] = ()
    grouped_norms: bool = False
    value_experts_used: int = 0
    no_rope_step: int = 0
    scaled_without_rope: bool = False
    position_parts: int = 1
    banks_every: int | None = None
    pools: Pools | None = None
    streams_apart: bool = False
    streams_gated: bool = False
    gram_size: int = 0
    routing: Routing = field(default_factory=Routing)
    recurrence: Recurrence | None = None
    latent: Latent | None = None
    compression: Compression | None = None
    blockwise: Blockwise | None = None

    def ropes(self, layer: int, window: int | None) -> bool:
        """Whether this layer's attention is rotary."""
        if self.rope_pattern:
            return self.rope_pattern[layer]
        if self.rope_in_windows_only:
            return window is not None or layer < self.roped_first
        if self.no_rope_step:
            return (layer + 1) % self.no_rope_step != 0
        return self.rope

    def scales_query(self, block: Block) -> bool:
        """Whether queries are multiplied before attention."""
        return self.query_scaled or (self.scaled_without_rope and not block.ropes)


def style_of(architecture: str, metadata: Metadata) -> Style:
    """The style of a model of this architecture."""
    llama4 = architecture == "llama4"
    granite = architecture.startswith("granite")
    return Style(
        centred=_centred(architecture, metadata),
        parallel=_parallel(architecture, metadata),
        bare_norms=architecture in NORMS_WITHOUT_WEIGHTS,
        first_norm=architecture in FIRST_NORM,
        grouped_norms=architecture == "k2-horizon",
        value_experts_used=metadata.at("attention.value_expert_used_count"),
        patchy=architecture == "deci",
        logits_copied=architecture == "chameleon",
        one_part=architecture in ONE_PART,
        beside=architecture == "falcon-h1",
        flat_norms=architecture in FLAT_NORMS,
        gated_query=architecture in GATED_QUERY,
        gate_first=architecture in GATE_FIRST,
        expand_norm=architecture in EXPAND_NORM,
        normed_values=architecture in ("gemma3n", "gemma4"),
        inputs=Inputs(
            mixed=architecture not in NOT_MIXED,
            scaled=architecture in EMBEDDINGS_SCALED,
            multiplied=architecture in EMBEDDINGS_MULTIPLIED or granite,
            stack=stack_of(metadata),
        ),
        residual_scaled=_scales_residuals(architecture, metadata),
        form=architecture if architecture in FORMED else "",
        head=metadata.at("wkv.head_size"),
        cached=architecture not in UNCACHED,
        flash=architecture != "grok",
        clamped=metadata.number("attention.clamp_kqv") > 0,
        clamps=architecture == "step35",
        feeds_normed=architecture == "stablelm",
        rows_chosen=architecture != "cogvlm",
        output_scaled=architecture == "minicpm3",
        output_on_host=architecture == "bitnet",
        before_first=architecture in BEFORE_FIRST,
        inside_first=architecture in INSIDE_FIRST,
        hidden_kept=architecture in HIDDEN_KEPT,
        output_norm="token_embd_norm" if architecture.startswith("lfm2") else "output_norm",
        query_scaled=architecture in QUERY_SCALED,
        rope=_rope(architecture, metadata),
        rope_in_windows_only=architecture in ROPE_IN_WINDOWS_ONLY
        or (architecture == "smallthinker" and metadata.at("attention.sliding_window") > 0),
        roped_first=_roped_first(architecture, metadata),
        rope_pattern=metadata.flags("attention.rope_pattern"),
        no_rope_step=4 if architecture in ("llama4", "smollm3", "afmoe") else 0,
        scaled_without_rope=llama4,
        position_parts=positions.parts(architecture, metadata),
        banks_every=metadata.at("attn_res.block_size") if architecture == "kimi-k3" else None,
        gram_size=metadata.at("ple.ngram_size"),
        streams_gated=architecture == "qwen4exp",
        streams_apart=architecture == "hy_v4",
        pools=_pools(metadata) if architecture in ("glm5-next", "qwen4exp") else None,
        routing=_routing(architecture, metadata),
        recurrence=_recurrence(metadata),
        latent=_latent(architecture, metadata),
        compression=_compression(metadata) if architecture == "deepseek4" else None,
        blockwise=_blockwise(metadata) if architecture == "minimax-m3" else None,
    )


def _scales_residuals(architecture: str, metadata: Metadata) -> bool:
    if architecture in ("minicpm", "minicpm3"):
        return True
    return architecture.startswith("granite") and metadata.number("residual_scale") != 0


def _centred(architecture: str, metadata: Metadata) -> bool:
    if architecture == "cohere2moe":
        return not metadata.number("attention.layer_norm_rms_epsilon")
    return architecture in CENTRED


def _roped_first(architecture: str, metadata: Metadata) -> int:
    return metadata.at("leading_dense_block_count") if architecture == "cohere2moe" else 0


def _parallel(architecture: str, metadata: Metadata) -> str:
    if architecture == "gptneox" and not metadata.number("use_parallel_residual", 1):
        return ""
    return PARALLEL.get(architecture, "")


def _rope(architecture: str, metadata: Metadata) -> bool:
    """Baichuan tells positions by rope in its 7B only."""
    if architecture == "baichuan":
        return metadata.at("block_count") == 32
    return architecture not in NO_ROPE and bool(metadata.number("rope.scaling.finetuned", 1))


def _routing(architecture: str, metadata: Metadata) -> Routing:
    return Routing(
        groups=metadata.at("expert_group_count"),
        groups_used=metadata.at("expert_group_used_count"),
        normed=(
            bool(metadata.number("expert_weights_norm"))
            if architecture in NORMED_BY_METADATA
            else architecture not in NEVER_NORMED
        ),
        scaled=metadata.number("expert_weights_scale") not in (0, 1),
        softmax_last=architecture == "gpt-oss",
        scaled_first=architecture == "llama4",
        situ=architecture == "kimi-k3",
    )


def _recurrence(metadata: Metadata) -> Recurrence | None:
    if cached := metadata.at("shortconv.l_cache"):
        return Recurrence(cached, 0, 0, 0, 1)
    if not metadata.at("ssm.conv_kernel"):
        return None
    if head := metadata.at("kda.head_dim"):
        return Recurrence(metadata.at("ssm.conv_kernel"), 0, head, 0, 1)
    return Recurrence(
        convolution=metadata.at("ssm.conv_kernel"),
        inner=metadata.at("ssm.inner_size"),
        state=metadata.at("ssm.state_size"),
        groups=metadata.at("ssm.group_count"),
        heads=metadata.at("ssm.time_step_rank") or 1,
        normed=bool(metadata.number("ssm.dt_b_c_rms")),
    )


def _latent(architecture: str, metadata: Metadata) -> Latent | None:
    rank = metadata.at("attention.kv_lora_rank")
    if not rank:
        return None
    heads = metadata.at("attention.indexer.head_count")
    indexer = Indexer(
        heads,
        metadata.at("attention.indexer.key_length"),
        metadata.at("attention.indexer.top_k"),
        turned=architecture != "hy_v4",
    )
    return Latent(
        rank=rank,
        rope=metadata.at("rope.dimension_count"),
        head_k=metadata.at("attention.key_length_mla") or metadata.at("attention.key_length"),
        head_v=metadata.at("attention.value_length_mla") or metadata.at("attention.value_length"),
        indexer=indexer if heads else None,
        turns=architecture not in NO_ROPE,
    )


def _pools(metadata: Metadata) -> Pools:
    ratios = [
        metadata.at("attention.compress_ratios", n) for n in range(metadata.at("block_count"))
    ]
    return Pools(
        heads=metadata.at("attention.indexer.head_count"),
        head=metadata.at("attention.indexer.key_length"),
        top_k=metadata.at("attention.indexer.top_k"),
        size=max(metadata.at("attention.indexer.kpool", default=1), *ratios, 1),
        tail=bool(metadata.number("attention.indexer.kpool_select_tail", 1)),
    )


def _compression(metadata: Metadata) -> Compression:
    return Compression(
        groups=metadata.at("attention.output_group_count"),
        output_rank=metadata.at("attention.output_lora_rank"),
        indexer_heads=metadata.at("attention.indexer.head_count"),
        indexer_head=metadata.at("attention.indexer.key_length"),
        top_k=metadata.at("attention.indexer.top_k"),
    )


def _blockwise(metadata: Metadata) -> Blockwise:
    return Blockwise(
        heads=metadata.at("attention.indexer.head_count"),
        head=metadata.at("attention.indexer.key_length"),
        top_k=metadata.at("attention.indexer.top_k"),
        block=metadata.at("attention.indexer.block_size"),
    )
