"""Which architectures do what in their graphs, as tables and as decisions on their metadata.

Data read from `build_arch_graph` of each architecture (src/models/*.cpp, b11549).
"""

from __future__ import annotations

from boxwright.plan.graph.metadata import Metadata

# norms that subtract the mean (LLM_NORM) take memory of their own
CENTRED = frozenset(
    {
        "bert", "bloom", "codeshell", "cohere2", "cohere2moe", "command-r", "dbrx", "falcon",
        "gpt2", "gptneox", "jais", "jais2", "jina-bert-v2", "jina-bert-v3", "modern-bert", "mpt",
        "nemotron", "nomic-bert", "nomic-bert-moe", "olmo", "orion", "phi2", "rwkv6", "rwkv7",
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
        "bert", "bloom", "glm5-next", "gpt2", "jais", "jamba", "jina-bert-v2", "kimi-k3",
        "kimi-linear", "mpt", "nemotron_h", "nemotron_h_moe", "refact", "starcoder",
    }
)  # fmt: skip
BERTS = frozenset({"bert", "jina-bert-v2", "jina-bert-v3", "nomic-bert", "nomic-bert-moe"})
# what makes embeddings of texts and has no output in its graph
HEADLESS = BERTS | {
    "eurobert",
    "gemma-embedding",
    "gemma-embedding2",
    "llama-embed",
    "modern-bert",
    "neo-bert",
}
# embeddings are normed
FIRST_NORM = frozenset({"bloom", "modern-bert", "muse-glimmer", "rwkv6", "rwkv7", "talkie"}) | BERTS
NORMS_WITHOUT_WEIGHTS = frozenset({"hrm_text", "olmo"})
ROPE_IN_WINDOWS_ONLY = frozenset(
    {"cohere2", "cohere2moe", "exaone-moe", "exaone4", "maion-coder", "maple", "muse-glimmer"}
)
EMBEDDINGS_SCALED = frozenset({"gemma-embedding2", "gemma3", "gemma3n", "gemma4"})
EMBEDDINGS_MULTIPLIED = frozenset(
    {"afmoe", "gemma", "gemma2", "gemma-embedding", "grok", "minicpm", "minicpm3"}
)
# architectures whose queries are scaled apart from attention
QUERY_SCALED = frozenset({"gemma", "gemma-embedding", "gemma2", "gemma3", "phi2", "phi3", "phimoe"})
# sums in which what came in stands first: before the feed-forward part, and after it
BEFORE_FIRST = frozenset({"jamba", "lfm2", "lfm2moe", "openelm"})
INSIDE_FIRST = frozenset({"jamba", "lfm2", "lfm2moe", "phi3", "phimoe"})
# the last hidden state is kept beside its norm for drafting (t_h_nextn)
HIDDEN_KEPT = frozenset({"gpt-oss", "mimo2", "step35"})
# the chosen experts' weights are normed only where the metadata say so (expert_weights_norm)
NORMED_BY_METADATA = frozenset(
    {
        "afmoe", "bailingmoe", "bailingmoe2", "bailingmoe3", "cohere2moe", "deepseek2",
        "deepseek2-ocr", "deepseek32", "deepseek4", "dots1", "dots3note", "exaone-moe", "glm-dsa",
        "glm4moe", "glm5-next", "hy_v3", "hy_v4", "k2-horizon", "kimi-k3", "laguna", "minimax-m3",
        "nemotron_h_moe", "step35",
    }
)  # fmt: skip
NEVER_NORMED = frozenset(
    {
        "deepseek",
        "gpt-oss",
        "jamba",
        "llada-moe",
        "llama4",
        "nomic-bert-moe",
        "olmoe",
        "qwen2moe",
    }
)
# whole layers that are put together otherwise (forms.py)
FORMED = BERTS | {
    "arctic", "grok", "grovemoe", "minimax-01", "modern-bert", "smallthinker", "talkie",
}  # fmt: skip
# diffusion and embeddings: nothing is read of earlier batches
UNCACHED = HEADLESS | {"dream", "llada", "llada-moe", "rnd1"}
# batches of tokens and embeddings mixed (llm_arch_supports_mixed_batch)
NOT_MIXED = frozenset(
    {"cogvlm", "deepseek4", "dflash", "eagle3", "gemma4-assistant", "graniteswitch"}
)


def scales_residuals(architecture: str, metadata: Metadata) -> bool:
    """Whether each part's result is scaled before it is added."""
    if architecture in ("minicpm", "minicpm3"):
        return True
    return architecture.startswith("granite") and metadata.number("residual_scale") != 0


def multiplies_embeddings(architecture: str, metadata: Metadata) -> bool:
    """Whether all embeddings are multiplied by one number."""
    if architecture.startswith("granite") or architecture == "hrm_text":
        return metadata.number("embedding_scale") != 0
    return architecture in EMBEDDINGS_MULTIPLIED


def output_norm(architecture: str) -> str:
    """What the last norm is called."""
    if architecture.startswith("lfm2"):
        return "token_embd_norm"
    return "enc.output_norm" if architecture == "neo-bert" else "output_norm"


def tempered(architecture: str, metadata: Metadata) -> bool:
    """Whether queries are multiplied by what their positions give (Ministral, Mistral Large)."""
    named = architecture in ("deepseek2", "mistral3", "mistral4")
    return named and metadata.number("attention.temperature_scale") != 0


def centred(architecture: str, metadata: Metadata) -> bool:
    """Whether norms subtract the mean."""
    if architecture == "cohere2moe":
        return not metadata.number("attention.layer_norm_rms_epsilon")
    return architecture in CENTRED


def roped_first(architecture: str, metadata: Metadata) -> int:
    """The first layers that turn by position though the others do in windows only."""
    return metadata.at("leading_dense_block_count") if architecture == "cohere2moe" else 0


def parallel(architecture: str, metadata: Metadata) -> str:
    """The order of sums where attention and feed-forward are beside each other, else nothing."""
    if architecture == "gptneox" and not metadata.number("use_parallel_residual", 1):
        return ""
    return PARALLEL.get(architecture, "")


def rope(architecture: str, metadata: Metadata) -> bool:
    """Whether attention is rotary at all; Baichuan's is in its 7B only."""
    if architecture == "baichuan":
        return metadata.at("block_count") == 32
    return architecture not in NO_ROPE and bool(metadata.number("rope.scaling.finetuned", 1))
