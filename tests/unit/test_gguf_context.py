"""What a header says of context: KV cache and recurrent state by layer, as llama.cpp prints it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.gguf_files import LATENT, MIB, dense_keys, shape

QWEN_HYBRID = {
    "block_count": 8,
    "embedding_length": 3072,
    "attention.head_count": 32,
    "attention.head_count_kv": 2,
    "attention.key_length": 256,
    "attention.value_length": 256,
    "ssm.conv_kernel": 4,
    "ssm.inner_size": 8192,
    "ssm.state_size": 128,
    "ssm.group_count": 16,
}
GPT_OSS_20B = {
    "block_count": 24,
    "embedding_length": 2880,
    "attention.head_count": 64,
    "attention.head_count_kv": 8,
    "attention.key_length": 64,
    "attention.value_length": 64,
    "attention.sliding_window": 128,
}
GEMMA_3_270M = {
    "block_count": 18,
    "embedding_length": 640,
    "attention.head_count": 4,
    "attention.head_count_kv": 1,
    "attention.key_length": 256,
    "attention.value_length": 256,
    "attention.sliding_window": 512,
}


@pytest.mark.parametrize(
    ("architecture", "keys", "context", "printed_mib"),
    [
        ("qwen35moe", QWEN_HYBRID, 8192, 56),
        ("qwen35moe", QWEN_HYBRID, 32768, 152),
        ("gpt-oss", GPT_OSS_20B, 8192, 210),
        ("gpt-oss", GPT_OSS_20B, 131072, 3090),
        ("deepseek2", LATENT, 8192, 54),
        ("gemma3", GEMMA_3_270M, 8192, 39),
    ],
)
def test_context_as_llama_fit_params_prints_it(
    tmp_path: Path, architecture: str, keys: dict[str, Any], context: int, printed_mib: int
) -> None:
    """Recorded from `llama-fit-params -fitp on -c N` of b11669 (f16, ubatch 512), whole MiB."""
    found = shape(tmp_path, architecture, dense_keys(**keys))
    total = 0
    for layer in found.layers:
        window = layer.sliding_window
        # a sliding cache holds the window and one ubatch, padded to 256 (llama-kv-cache-iswa.cpp)
        tokens = context if window is None else min(context, -(-(window + 512) // 256) * 256)
        total += tokens * (layer.kv_elements_k + layer.kv_elements_v) * 2 + layer.recurrent_bytes
    assert total // MIB == printed_mib


def test_recurrent_layers_may_be_listed(tmp_path: Path) -> None:
    """MTP-less Qwen3-Next: a list wins over the interval, and an interval may be other than 4."""
    ssm = {"ssm.conv_kernel": 4, "ssm.inner_size": 64, "ssm.state_size": 16, "ssm.group_count": 2}
    listed = dense_keys(**ssm, **{"attention.recurrent_layers": [True, False, False, True]})
    found = shape(tmp_path, "qwen3next", listed)
    assert [bool(layer.recurrent_bytes) for layer in found.layers] == [True, False, False, True]
    assert [bool(layer.kv_elements_k) for layer in found.layers] == [False, True, True, False]
    # (4-1) x (64 + 2x2x16) convolution and 16x64 state elements of 4 bytes
    assert found.layers[0].recurrent_bytes == 4 * (3 * 128 + 1024)

    every_second = shape(tmp_path, "qwen3next", dense_keys(**ssm, full_attention_interval=2))
    assert [bool(layer.kv_elements_k) for layer in every_second.layers] == [False, True] * 2


def test_layers_without_kv_heads_are_recurrent_in_hybrids_only(tmp_path: Path) -> None:
    heads = {"attention.head_count_kv": [0, 2, 0, 4]}
    cached = {"shortconv.l_cache": 3}
    hybrid = shape(tmp_path, "lfm2", dense_keys(**heads, **cached))
    assert [layer.kv_elements_k for layer in hybrid.layers] == [0, 128, 0, 256]
    assert [layer.recurrent_bytes for layer in hybrid.layers] == [512 * 2 * 4, 0, 512 * 2 * 4, 0]

    pruned = shape(tmp_path, "deci", dense_keys(**heads))
    assert [layer.kv_elements_k for layer in pruned.layers] == [0, 128, 0, 256]
    assert not any(layer.recurrent_bytes for layer in pruned.layers)


def test_nemotron_has_layers_of_neither_kind(tmp_path: Path) -> None:
    """A layer with a feed-forward part and no KV heads keeps no state at all."""
    keys = dense_keys(
        **{
            "attention.head_count_kv": [0, 2, 0, 0],
            "feed_forward_length": [0, 0, 4096, 0],
            "ssm.conv_kernel": 4,
            "ssm.inner_size": 64,
            "ssm.state_size": 16,
            "ssm.group_count": 2,
        }
    )
    found = shape(tmp_path, "nemotron_h", keys)
    kinds = [(bool(one.recurrent_bytes), bool(one.kv_elements_k)) for one in found.layers]
    assert kinds == [(True, False), (False, True), (False, False), (True, False)]
