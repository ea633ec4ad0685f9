"""The sizes of a model's parts, read from its metadata.

Keys: src/llama-arch.cpp, b11549.
"""

from __future__ import annotations

from dataclasses import replace

from boxwright.plan.graph import traits
from boxwright.plan.graph.blockwise import Blockwise
from boxwright.plan.graph.compressed import Compression
from boxwright.plan.graph.experts import Routing
from boxwright.plan.graph.indexer import Indexer
from boxwright.plan.graph.latent import Latent
from boxwright.plan.graph.metadata import Metadata
from boxwright.plan.graph.pools import Pools
from boxwright.plan.graph.recurrent import Recurrence


def routing(architecture: str, metadata: Metadata) -> Routing:
    """How experts are chosen."""
    return Routing(
        groups=metadata.at("expert_group_count"),
        groups_used=metadata.at("expert_group_used_count"),
        normed=(
            bool(metadata.number("expert_weights_norm"))
            if architecture in traits.NORMED_BY_METADATA
            else architecture not in traits.NEVER_NORMED
        ),
        scaled=metadata.number("expert_weights_scale") not in (0, 1),
        softmax_last=architecture == "gpt-oss",
        scaled_first=architecture == "llama4",
        situ=architecture == "kimi-k3",
    )


def recurrence(metadata: Metadata) -> Recurrence | None:
    """The geometry of recurrent layers, if there are any."""
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


def latent(architecture: str, metadata: Metadata) -> Latent | None:
    """The geometry of latent attention, if it is that."""
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
    found = Latent(
        rank=rank,
        rope=metadata.at("rope.dimension_count"),
        head_k=metadata.at("attention.key_length_mla") or metadata.at("attention.key_length"),
        head_v=metadata.at("attention.value_length_mla") or metadata.at("attention.value_length"),
        indexer=indexer if heads else None,
        turns=architecture not in traits.NO_ROPE,
        tempered=traits.tempered(architecture, metadata),
        squashes_first=architecture == "dots3note",
    )
    narrow = metadata.at("attention.kv_lora_rank_swa")
    if not narrow:
        return found
    head_k, head_v = (metadata.at(f"attention.{part}_length_mla_swa") for part in ("key", "value"))
    windowed = replace(found, rank=narrow, head_k=head_k, head_v=head_v, indexer=None)
    return replace(found, windowed=windowed)


def pools(metadata: Metadata) -> Pools:
    """The indexer of pools of rows."""
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


def compression(metadata: Metadata) -> Compression:
    """DeepSeek-V4's compressed attention."""
    return Compression(
        groups=metadata.at("attention.output_group_count"),
        output_rank=metadata.at("attention.output_lora_rank"),
        indexer_heads=metadata.at("attention.indexer.head_count"),
        indexer_head=metadata.at("attention.indexer.key_length"),
        top_k=metadata.at("attention.indexer.top_k"),
    )


def blockwise(metadata: Metadata) -> Blockwise:
    """MiniMax-M3's attention to blocks of rows."""
    return Blockwise(
        heads=metadata.at("attention.indexer.head_count"),
        head=metadata.at("attention.indexer.key_length"),
        top_k=metadata.at("attention.indexer.top_k"),
        block=metadata.at("attention.indexer.block_size"),
    )
