"""What a header says: weights by class, KV cache and recurrent state by layer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFReader

from boxwright.gguf import GgufError, read_shape
from boxwright.shapes import ModelShape, shape_from_json
from tests.shapes.read import shape_of
from tests.unit.gguf_files import (
    F32,
    Q4_K,
    Q8_0,
    Tensor,
    dense_keys,
    dense_tensors,
    nbytes,
    qwen35_122b,
    write,
    write_shards,
)

MIB = 1024**2


def shape(path: Path, architecture: str, keys: dict[str, Any],
          tensors: list[Tensor] | None = None) -> ModelShape:  # fmt: skip
    chosen = dense_tensors(keys["block_count"]) if tensors is None else tensors
    return read_shape([write(path / "model.gguf", architecture, keys, chosen)])


def windows(found: ModelShape) -> list[int | None]:
    return [layer.sliding_window for layer in found.layers]


def test_a_dense_model(tmp_path: Path) -> None:
    found = shape(tmp_path, "llama", dense_keys())

    assert (found.architecture, found.hidden_size, found.context_train) == ("llama", 512, 8192)
    assert (found.vocabulary, found.experts, found.experts_used) == (1000, 0, 0)
    assert len(found.layers) == 4
    # norm 512 F32, q 512x512 and k 512x128 in Q8_0 (34 bytes per 32), down 1024x512 in Q4_K
    assert found.layers[0].dense_bytes == 2048 + 278528 + 69632 + 294912
    assert found.embedding_bytes == found.output_bytes == 512 * 1000 * 34 // 32
    assert found.other_bytes == 2048
    assert [(one.kv_elements_k, one.kv_elements_v) for one in found.layers] == [(128, 128)] * 4
    assert windows(found) == [None] * 4
    assert found.file_bytes == (tmp_path / "model.gguf").stat().st_size


def test_every_byte_is_counted_once(tmp_path: Path) -> None:
    """Against the package's own reader, which maps the weights."""
    path = write(tmp_path / "m.gguf", "llama", dense_keys(), dense_tensors())
    found, stock = read_shape([path]), GGUFReader(path)

    layers = sum(
        one.dense_bytes + one.shared_expert_bytes + one.expert_bytes for one in found.layers
    )
    outside = found.embedding_bytes + found.output_bytes + found.other_bytes
    assert layers + outside == sum(int(tensor.n_bytes) for tensor in stock.tensors)
    assert found.parameters == sum(int(tensor.n_elements) for tensor in stock.tensors)


def test_a_mixture_of_experts_by_class(tmp_path: Path) -> None:
    """Experts are what --cpu-moe moves, biases with them; shared experts and the router stay."""
    tensors: list[Tensor] = [
        ("token_embd.weight", (512, 1000), Q8_0),
        ("blk.0.ffn_gate_inp.weight", (512, 16), F32),
        ("blk.0.ffn_gate_exps.weight", (512, 256, 16), Q4_K),
        ("blk.0.ffn_up_exps.weight", (512, 256, 16), Q4_K),
        ("blk.0.ffn_down_exps.weight", (256, 512, 16), Q8_0),
        ("blk.0.ffn_down_exps.bias", (512, 16), F32),
        ("blk.0.ffn_up_shexp.weight", (512, 256), Q8_0),
        ("blk.0.ffn_gate_inp_shexp.weight", (512,), F32),
    ]
    keys = dense_keys(block_count=1, expert_count=16, expert_used_count=4)
    found = shape(tmp_path, "qwen3moe", keys, tensors)

    q4, q8 = 512 * 256 * 16 * 144 // 256, 512 * 256 * 16 * 34 // 32
    layer = found.layers[0]
    assert layer.expert_bytes == 2 * q4 + q8 + 512 * 16 * 4
    assert layer.largest_expert_tensor_bytes == q8
    assert layer.shared_expert_bytes == 512 * 256 * 34 // 32 + 512 * 4
    assert layer.dense_bytes == 512 * 16 * 4
    assert (found.experts, found.experts_used, found.output_bytes) == (16, 4, 0)


def test_fused_and_chunked_experts_are_experts(tmp_path: Path) -> None:
    tensors: list[Tensor] = [
        ("token_embd.weight", (512, 10), Q8_0),
        ("blk.0.ffn_gate_up_exps.weight", (512, 512, 4), Q4_K),
        ("blk.0.ffn_up_chexps.weight", (512, 512, 4), Q4_K),
    ]
    found = shape(tmp_path, "grovemoe", dense_keys(block_count=1), tensors)
    assert found.layers[0].expert_bytes == nbytes(tensors[1]) + nbytes(tensors[2])
    assert found.layers[0].dense_bytes == 0


def test_qwen35_as_llama_cpp_measured_it(tmp_path: Path) -> None:
    """reference/llama-cpp.md 4.4, 4.5: 62980 MiB on the host, 24 KiB per token, 149 MiB state."""
    keys, tensors = qwen35_122b()
    found = shape(tmp_path, "qwen35moe", keys, tensors)

    host = found.embedding_bytes + sum(layer.expert_bytes for layer in found.layers)
    assert host / MIB == pytest.approx(62980, abs=1.5)
    assert found.layers[0].largest_expert_tensor_bytes / MIB == 432
    full = [index for index, layer in enumerate(found.layers) if layer.kv_elements_k]
    assert full == list(range(3, 48, 4))
    per_token = sum(layer.kv_elements_k + layer.kv_elements_v for layer in found.layers)
    assert per_token * 2 == 24 * 1024
    assert sum(layer.recurrent_bytes for layer in found.layers) / MIB == pytest.approx(149, abs=0.5)


def test_minimax_as_llama_cpp_measured_it(tmp_path: Path) -> None:
    """reference/llama-cpp.md 4.4: 248 KiB per token over 62 layers of 8 KV heads of 128."""
    keys = dense_keys(
        block_count=62,
        embedding_length=3072,
        **{
            "attention.head_count": 48,
            "attention.head_count_kv": 8,
            "attention.key_length": 128,
            "attention.value_length": 128,
        },
    )
    found = shape(tmp_path, "minimax-m2", keys)
    per_token = sum(layer.kv_elements_k + layer.kv_elements_v for layer in found.layers)
    assert per_token * 2 == 248 * 1024


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
LATENT = {
    "block_count": 6,
    "attention.head_count": 16,
    "attention.head_count_kv": 1,
    "attention.key_length": 576,
    "attention.value_length": 512,
    "attention.key_length_mla": 192,
    "attention.value_length_mla": 128,
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


def test_drafting_blocks_are_not_loaded(tmp_path: Path) -> None:
    found = shape(tmp_path, "glm4moe", dense_keys(nextn_predict_layers=1))
    whole = shape(tmp_path, "glm4moe", dense_keys())
    assert len(found.layers) == 3
    assert found.skipped_bytes == whole.layers[3].dense_bytes
    assert found.parameters < whole.parameters


def test_an_output_that_shares_the_embedding(tmp_path: Path) -> None:
    found = shape(tmp_path, "llama", dense_keys(), dense_tensors(output=False))
    assert found.output_bytes == 0
    assert found.embedding_bytes == 512 * 1000 * 34 // 32


def test_the_vocabulary_is_counted_where_there_is_one(tmp_path: Path) -> None:
    path = write(tmp_path / "m.gguf", "llama", dense_keys(), dense_tensors(), tokens=321)
    assert read_shape([path]).vocabulary == 321


def test_metadata_keeps_names_and_no_vocabulary(tmp_path: Path) -> None:
    keys = dense_keys(**{"=general.name": "Tiny", "=tokenizer.chat_template": "{{ x }}"})
    path = write(tmp_path / "m.gguf", "llama", keys, dense_tensors(), tokens=10)
    metadata = read_shape([path]).metadata
    assert metadata["general.name"] == "Tiny"
    assert metadata["llama.attention.head_count"] == 8
    assert not [key for key in metadata if key.startswith("tokenizer")]


def test_a_shape_survives_json(tmp_path: Path) -> None:
    keys, tensors = qwen35_122b()
    found = shape(tmp_path, "qwen35moe", keys, tensors)
    assert found.blocks
    assert shape_from_json(json.loads(json.dumps(found.to_json()))) == found


def test_a_shape_that_an_older_version_wrote_is_read(tmp_path: Path) -> None:
    document = shape(tmp_path, "qwen35moe", *qwen35_122b()).to_json()
    for key in ("blocks", "tensors", "shared_output_bytes"):
        del document[key]
    for layer in document["layers"]:
        del layer["block"]
    found = shape_from_json(json.loads(json.dumps(document)))
    assert len(found.layers) == 48 and found.blocks == ()


def sharded(directory: Path, stem: str = "m") -> list[Path]:
    tensors = dense_tensors()
    parts = [tensors[:1], tensors[1:9], tensors[9:]]
    return write_shards(directory, stem, "llama", dense_keys(), parts, tokens=50)


def test_shards_in_any_order_are_the_model(tmp_path: Path) -> None:
    paths = sharded(tmp_path)
    found = read_shape([paths[2], paths[0], paths[1]])
    whole = shape(tmp_path, "llama", dense_keys())
    assert found.layers == whole.layers
    assert (found.shards, found.vocabulary) == (3, 50)
    assert found.file_bytes == sum(path.stat().st_size for path in paths)


@pytest.mark.parametrize("given", [[0], [1], [0, 1], [0, 1, 1], [1, 2]])
def test_a_missing_shard_is_named(tmp_path: Path, given: list[int]) -> None:
    paths = sharded(tmp_path)
    with pytest.raises(GgufError, match=r"is one of 3 shards, of which .* were given"):
        read_shape([paths[index] for index in given])


def test_shards_of_two_models_do_not_mix(tmp_path: Path) -> None:
    mine = sharded(tmp_path)
    tensors = dense_tensors(5)
    other = write_shards(tmp_path, "other", "llama", dense_keys(block_count=5),
                         [tensors[:1], tensors[1:9], tensors[9:]])  # fmt: skip
    with pytest.raises(GgufError, match="hold 23 tensors, need 19: they are not of one model"):
        read_shape([mine[0], mine[1], other[2]])


def test_headers_alone_are_enough_when_the_size_is_told(tmp_path: Path) -> None:
    keys, tensors = qwen35_122b()
    path = write(tmp_path / "model.gguf", "qwen35moe", keys, tensors)
    size = path.stat().st_size
    whole = read_shape([path])
    header = int(GGUFReader(path).data_offset)
    with path.open("r+b") as file:
        file.truncate(header)
    assert read_shape([path], [size]) == whole
    assert size > 60 * 1024**3
    with pytest.raises(GgufError, match="is cut short"):
        read_shape([path])


def test_glm_5_2_indexes_in_one_layer_of_four_where_its_file_does_not_say_so(
    tmp_path: Path,
) -> None:
    """The `indexer_types` of its config.json: full in 0, 1, 2, then in every fourth layer."""
    for context, full in ((1 << 20, {0, 1, 2, 6, 10}), (202752, set(range(12)))):
        keys = {**LATENT, "attention.indexer.key_length": 128, "context_length": context}
        found = shape(tmp_path, "glm-dsa", {**dense_keys(), **keys, "block_count": 12})
        sizes = [layer.kv_elements_k for layer in found.layers]
        assert sizes == [576 + (128 if number in full else 0) for number in range(12)]


def test_what_is_loaded_of_a_drafting_block_though_nothing_uses_it() -> None:
    found = shape_of("hy3-295b")
    assert len(found.layers) == 80
    (draft,) = found.drafts
    assert draft.expert_bytes == 3 * 192 * 4096 * 1536 * 144 // 256, "Q4_K: 144 bytes of 256"
    assert draft.dense_bytes == (4096 * 192 + 192) * 4, "router and its bias, but no attention"
    assert shape_from_json(json.loads(json.dumps(found.to_json()))) == found
    assert not shape_of("glm-4.6").drafts
