"""What an architecture's name says about its attention, where the metadata does not.

Data read from llama.cpp's `load_arch_hparams` of each architecture (src/models/*.cpp, b11549) and
`llm_arch_is_hybrid`. An architecture that is not listed is taken to attend fully in every layer,
which can only over-estimate its KV cache.
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class WindowRule:
    """How sliding windows alternate: every `period`-th layer attends fully, the rest do not.

    `full_first` puts the full layer first in each period instead of last. `window` (tokens) is
    what holds when the metadata name none (None: no window then), `fixed_window` what holds
    whatever they name. `only_layers` limits the rule to models of that many layers. A period of 1
    is full attention unless the metadata bring a pattern; 0 slides everywhere.
    """

    period: int
    full_first: bool = False
    window: int | None = None
    fixed_window: int | None = None
    only_layers: int | None = None


WINDOWS: dict[str, WindowRule] = {
    "afmoe": WindowRule(4),
    "cohere2": WindowRule(4),
    "cohere2moe": WindowRule(4, full_first=True),
    "deepseek4": WindowRule(0),
    "dots3note": WindowRule(1),
    "exaone-moe": WindowRule(4, window=128),
    "exaone4": WindowRule(4, window=4096, only_layers=64),
    "gemma-embedding": WindowRule(6),
    "gemma-embedding2": WindowRule(6),
    "gemma2": WindowRule(2, window=4096),
    "gemma3": WindowRule(6),
    "gemma3n": WindowRule(5),
    "gemma4": WindowRule(1),
    "gpt-oss": WindowRule(2),
    "granite_swa": WindowRule(1),
    "laguna": WindowRule(4, full_first=True),
    "lfm2": WindowRule(0),
    # a window of 0 in the metadata still means none
    "llama4": WindowRule(4, window=8192, fixed_window=8192),
    "maion-coder": WindowRule(1),
    "maple": WindowRule(1),
    "mellum": WindowRule(4),
    "mimo2": WindowRule(1),
    "modern-bert": WindowRule(3, full_first=True),
    "muse-glimmer": WindowRule(4),
    "olmo2": WindowRule(4),
    "plamo3": WindowRule(8),
    "smallthinker": WindowRule(4, full_first=True, fixed_window=4096),
    "spark2_5": WindowRule(1),
    "step35": WindowRule(1),
}

# Recurrent layers are listed in `attention.recurrent_layers`, else all but every
# `full_attention_interval`-th (4 where that is missing too, or what is named here).
RECURRENT_BY_INTERVAL = frozenset({"minimax-01", "qwen35", "qwen35moe", "qwen3next", "qwen4exp"})
INTERVALS = {"minimax-01": 8}
# Recurrent layers are those without KV heads …
RECURRENT_WITHOUT_KV_HEADS = frozenset(
    {
        "bailingmoe3",
        "glm5-next",
        "granitehybrid",
        "jamba",
        "kimi-k3",
        "kimi-linear",
        "lfm2",
        "lfm2moe",
        "plamo2",
    }
)
# … and, here, without a feed-forward part.
RECURRENT_WITHOUT_FEED_FORWARD = frozenset({"nemotron_h", "nemotron_h_moe"})
# Every layer keeps a recurrent state and no KV cache.
RECURRENT_ONLY = frozenset({"arwkv7", "mamba", "mamba2", "rwkv6", "rwkv6qwen2", "rwkv7"})
# What these load of the blocks that only draft, though nothing reads it: all that their loaders
# do not skip with the block (src/models/hy-v3.cpp, step35.cpp).
DRAFTS_LOADED = {
    "hy_v3": re.compile(r"ffn_(?!norm)|exp_probs_b|nextn\.(embed_tokens|shared_head)"),
    "step35": re.compile(
        r"ffn_(?!norm)|exp_probs_b|attn_(gate|q_norm|k_norm)|nextn\.(embed_tokens|shared_head)"
    ),
}

# Diffusion models keep nothing, nor do those that make embeddings.
UNCACHED = frozenset(
    {
        "bert",
        "dream",
        "eurobert",
        "gemma-embedding",
        "gemma-embedding2",
        "jina-bert-v2",
        "jina-bert-v3",
        "llada",
        "llada-moe",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "rnd1",
    }
)
# Every layer keeps both.
RECURRENT_BESIDE_ATTENTION = frozenset({"falcon-h1"})

# All layers are run `num_loops` times; those of later runs keep caches of their own and are spread
# over devices as further layers, with the first run's weights (src/models/nanbeige.cpp).
LOOPED = frozenset({"nanbeige"})

# HRM-Text's stacks: the layers of each, how often all are run, and the low one within that.
CYCLES = ("layers_per_stack", "h_cycles", "l_cycles")

# A head of attention by itself finds each token's adapter: its cache is one more layer, the last
# one that is spread over devices, without weights (src/models/granite-switch.cpp).
ROUTED_BY_ATTENTION = frozenset({"graniteswitch"})

# K alone is cached, as in multi-head latent attention, though the metadata do not say so.
K_ONLY = frozenset({"deepseek4"})

# The first layers keep KV, the others read theirs; the metadata of these name no number.
LAYERS_WITH_KV = {"gemma3n": 20}
SHARED_KV_ARCHITECTURES = frozenset({"gemma4"})

# An indexer's own keys are cached beside K, one head of `attention.indexer.key_length` (DSA caches,
# src/llama-kv-cache-dsa.cpp) in the layers that `attention.indexer.types` names, by default all.
INDEXED = frozenset({"deepseek32", "dots3note", "glm-dsa", "glm5-next", "hy_v4", "qwen4exp"})
# … with a gate and the key of the pool beside each (src/llama-memory-hybrid-idx.cpp)
INDEXER_ROWS = {"glm5-next": 3, "qwen4exp": 2}
# … and here a head of V too, past the leading dense layers (src/llama-kv-cache-msa.cpp).
INDEXED_WITH_V = frozenset({"minimax-m3"})

# DeepSeek-V4 keeps running sums for the rows it is about to compress, by compression ratio: how
# many F32 values per element of a K row, and of an indexer row (src/llama-kv-cache-dsv4.cpp,
# llama_dsv4_comp_state: kv and score, each `n_embd_state` times `state_size`).
COMPRESSION_STATE = {4: (2 * 2 * 8, 2 * 2 * 8), 128: (2 * 128, 0)}
