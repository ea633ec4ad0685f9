"""What a header says of weights: by class, each byte once; and the shape as JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from gguf import GGUFReader

from boxwright.gguf import GgufError, read_shape
from boxwright.shapes import shape_from_json
from tests.shapes.read import shape_of
from tests.unit.gguf_files import (
    F32,
    MIB,
    Q4_K,
    Q8_0,
    Tensor,
    dense_keys,
    dense_tensors,
    nbytes,
    qwen35_122b,
    shape,
    windows,
    write,
)


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


def test_layers_that_run_in_cycles(tmp_path: Path) -> None:
    """HRM-Text's low stack three times, then the high one, and all that again: its own names."""
    found = shape_of("hrm-text-1b")

    runs = [range(16)] * 3 + [range(16, 32)]
    assert list(found.held) == [block for run in runs * 2 for block in run]
    assert [one.dense_bytes > 0 for one in found.layers] == [True] * 32 + [False] * 96
    assert {one.dense_bytes for one in found.read_layers} == {found.layers[0].dense_bytes}
    keys = {"hrm.layers_per_stack": 2, "hrm.h_cycles": 2, "hrm.l_cycles": 2}
    with pytest.raises(GgufError, match="has 4 layers in 2 cycles of 2 low stacks"):
        shape(tmp_path, "hrm_text", {**dense_keys(), **keys})


def test_a_head_that_finds_adapters_keeps_a_layer() -> None:
    found = shape_of("granite-switch-3b")

    assert (len(found.layers), found.spread_layers, found.layers[-1].dense_bytes) == (41, 41, 0)
    assert [(one.kv_elements_k, one.kv_elements_v) for one in found.layers[-2:]] == [
        (8 * 64, 8 * 64),
        (64, 64),
    ]


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


def test_what_is_loaded_of_a_drafting_block_though_nothing_uses_it() -> None:
    found = shape_of("hy3-295b")
    assert len(found.layers) == 80
    (draft,) = found.drafts
    assert draft.expert_bytes == 3 * 192 * 4096 * 1536 * 144 // 256, "Q4_K: 144 bytes of 256"
    assert draft.dense_bytes == (4096 * 192 + 192) * 4, "router and its bias, but no attention"
    assert shape_from_json(json.loads(json.dumps(found.to_json()))) == found
    assert not shape_of("glm-4.6").drafts
