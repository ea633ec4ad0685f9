"""What a header says of attention: windows, latent attention, compressed rows, indexers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.gguf_files import LATENT, MIB, dense_keys, shape, windows


@pytest.mark.parametrize(
    ("architecture", "keys", "layers", "expected"),
    [
        ("gemma3", {"attention.sliding_window": 512}, 12, ([512] * 5 + [None]) * 2),
        ("gpt-oss", {"attention.sliding_window": 128}, 4, [128, None] * 2),
        ("gemma2", {}, 4, [4096, None] * 2),
        ("cohere2moe", {"attention.sliding_window": 64}, 8, ([None] + [64] * 3) * 2),
        ("smallthinker", {"attention.sliding_window": 64}, 4, [None] + [4096] * 3),
        ("llama4", {}, 4, [8192] * 3 + [None]),
        ("llama4", {"attention.sliding_window": 0}, 4, [None] * 4),
        # the window is in the metadata, yet llama.cpp attends fully
        ("llama", {"attention.sliding_window": 4096}, 4, [None] * 4),
        ("gemma3", {}, 4, [None] * 4),
        (
            "mimo2",
            {
                "attention.sliding_window": 128,
                "attention.sliding_window_pattern": [False, True, True, False],
            },
            4,
            [None, 128, 128, None],
        ),
        (
            "gemma3",
            {"attention.sliding_window": 512, "attention.sliding_window_pattern": 2},
            4,
            [512, None] * 2,
        ),
    ],
)
def test_sliding_windows(
    tmp_path: Path,
    architecture: str,
    keys: dict[str, Any],
    layers: int,
    expected: list[int | None],
) -> None:
    found = shape(tmp_path, architecture, dense_keys(block_count=layers, **keys))
    assert windows(found) == expected
    assert all(layer.kv_elements_k == 128 for layer in found.layers)


def test_sliding_layers_may_have_heads_of_another_size(tmp_path: Path) -> None:
    keys = dense_keys(
        **{
            "attention.sliding_window": 128,
            "attention.sliding_window_pattern": [True, False, True, False],
            "attention.key_length": 64,
            "attention.value_length": 64,
            "attention.key_length_swa": 32,
            "attention.value_length_swa": 16,
            "attention.shared_kv_layers": 1,
        }
    )
    found = shape(tmp_path, "gemma4", keys)
    sizes = [(layer.kv_elements_k, layer.kv_elements_v) for layer in found.layers]
    assert sizes == [(64, 32), (128, 128), (64, 32), (0, 0)]


def test_latent_attention_caches_k_alone(tmp_path: Path) -> None:
    """DeepSeek-V3: one head of 512 + 64, no V (llama-kv-cache.cpp, has_v)."""
    keys = dense_keys(
        **{
            "attention.head_count": 128,
            "attention.head_count_kv": 1,
            "attention.key_length": 576,
            "attention.value_length": 512,
            "attention.key_length_mla": 192,
            "attention.value_length_mla": 128,
            "attention.kv_lora_rank": 512,
        }
    )
    found = shape(tmp_path, "deepseek2", keys)
    assert [(one.kv_elements_k, one.kv_elements_v) for one in found.layers] == [(576, 0)] * 4
    assert found.metadata["deepseek2.attention.kv_lora_rank"] == 512


def test_deepseek_v4_keeps_its_compression_for_the_planner(tmp_path: Path) -> None:
    keys = dense_keys(
        **{
            "attention.head_count": 64,
            "attention.head_count_kv": 1,
            "attention.key_length": 512,
            "attention.value_length": 512,
            "attention.sliding_window": 128,
            "attention.compress_ratios": [0, 0, 4, 128],
            "attention.indexer.key_length": 128,
            "nextn_predict_layers": 1,
        }
    )
    found = shape(tmp_path, "deepseek4", keys)
    # a file without its drafting block does not count it among its blocks
    assert len(found.layers) == 4
    assert [(one.kv_elements_k, one.kv_elements_v) for one in found.layers] == [(512, 0)] * 4
    assert windows(found) == [128] * 4
    assert found.metadata["deepseek4.attention.compress_ratios"] == "0,0,4,128"


@pytest.mark.parametrize(("context", "measured_mib"), [(32768, 258), (131072, 903)])
def test_deepseek_v4_flash_as_llama_cpp_measured_it(
    tmp_path: Path, context: int, measured_mib: int
) -> None:
    """reference/llama-cpp.md 4.4: raw window, compressed rows and indexer of 4, rows of 128."""
    keys = dense_keys(
        block_count=43,
        **{
            "attention.head_count": 64,
            "attention.head_count_kv": 1,
            "attention.key_length": 512,
            "attention.value_length": 512,
            "attention.sliding_window": 128,
            "attention.compress_ratios": [0, 0] + [4, 128] * 20 + [4],
            "attention.indexer.key_length": 128,
        },
    )
    found = shape(tmp_path, "deepseek4", keys)
    raw = sum(layer.kv_elements_k for layer in found.layers) * 768 * 2
    compressed = 21 * context // 4 * 1024 + 20 * max(context // 128, 256) * 1024
    indexer = 21 * context // 4 * 256
    state = sum(layer.recurrent_bytes for layer in found.layers)
    assert state / MIB == pytest.approx(11.6, abs=0.1)
    assert (raw + compressed + indexer + state) / MIB == pytest.approx(measured_mib, rel=0.005)


def test_indexers_cache_keys_of_their_own(tmp_path: Path) -> None:
    indexer = {"attention.indexer.key_length": 128}
    found = shape(tmp_path, "deepseek32", dense_keys(**LATENT, **indexer))
    assert {(one.kv_elements_k, one.kv_elements_v) for one in found.layers} == {(576 + 128, 0)}

    some = {**indexer, "attention.indexer.types": [1, 0, 0, 0, 1, 0]}
    found = shape(tmp_path, "glm-dsa", dense_keys(**LATENT, **some))
    assert [one.kv_elements_k for one in found.layers] == [704, 576, 576, 576, 704, 576]

    found = shape(tmp_path, "minimax-m3", dense_keys(**indexer, leading_dense_block_count=1))
    sizes = [(one.kv_elements_k, one.kv_elements_v) for one in found.layers]
    assert sizes == [(128, 128)] + [(256, 192)] * 3


def test_glm_5_2_indexes_in_one_layer_of_four_where_its_file_does_not_say_so(
    tmp_path: Path,
) -> None:
    """The `indexer_types` of its config.json: full in 0, 1, 2, then in every fourth layer."""
    for context, full in ((1 << 20, {0, 1, 2, 6, 10}), (202752, set(range(12)))):
        keys = {**LATENT, "attention.indexer.key_length": 128, "context_length": context}
        found = shape(tmp_path, "glm-dsa", {**dense_keys(), **keys, "block_count": 12})
        sizes = [layer.kv_elements_k for layer in found.layers]
        assert sizes == [576 + (128 if number in full else 0) for number in range(12)]


@pytest.mark.parametrize(("architecture", "every"), [("minimax-01", 8), ("qwen3next", 4)])
def test_how_many_layers_attend_where_a_file_does_not_say_so(
    tmp_path: Path, architecture: str, every: int
) -> None:
    """As `llama-fit-params` of b11669 gives caches to layers of a file without the interval."""
    found = shape(tmp_path, architecture, dense_keys(block_count=16))

    attends = [number for number, one in enumerate(found.layers) if one.kv_elements_k]
    assert attends == list(range(every - 1, 16, every))
