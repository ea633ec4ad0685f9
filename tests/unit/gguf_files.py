"""GGUF files for tests: real metadata and tensor lists, no weights (sparse to their full size)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from gguf import GGMLQuantizationType, GGUFWriter
from gguf.constants import GGML_QUANT_SIZES, GGUFValueType

from boxwright.gguf import read_shape
from boxwright.shapes import ModelShape

F32 = GGMLQuantizationType.F32
Q8_0 = GGMLQuantizationType.Q8_0
Q4_K = GGMLQuantizationType.Q4_K

# name, dimensions as llama.cpp prints them (row length first), type
Tensor = tuple[str, tuple[int, ...], GGMLQuantizationType]

MIB = 1024**2

# latent attention: one head of 512 + 64 that is cached, heads of 192 and 128 that are not
LATENT = {
    "block_count": 6,
    "attention.head_count": 16,
    "attention.head_count_kv": 1,
    "attention.key_length": 576,
    "attention.value_length": 512,
    "attention.key_length_mla": 192,
    "attention.value_length_mla": 128,
}


def nbytes(tensor: Tensor) -> int:
    """The tensor's size, from the package's own table of block sizes."""
    _, shape, kind = tensor
    elements, size = GGML_QUANT_SIZES[kind]
    return int(np.prod(shape, dtype=object)) * size // elements


def write(
    path: Path,
    architecture: str,
    keys: Mapping[str, Any],
    tensors: Sequence[Tensor],
    tokens: int = 0,
) -> Path:
    """One file; `keys` without a dot-prefix are the architecture's, `=key` is taken as it is."""
    writer = GGUFWriter(path, architecture)
    for key, value in keys.items():
        name = key[1:] if key.startswith("=") else f"{architecture}.{key}"
        _add(writer, name, value)
    if tokens:
        writer.add_token_list([f"token{index}" for index in range(tokens)])
        writer.add_token_types([1] * tokens)
        writer.add_token_merges([f"a{index} b{index}" for index in range(tokens)])
    for name, shape, kind in tensors:
        _, block_bytes = GGML_QUANT_SIZES[kind]
        assert block_bytes
        size = nbytes((name, shape, kind))
        numpy_shape = tuple(reversed(shape))
        writer.add_tensor_info(name, numpy_shape, np.dtype(np.float32), size, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    writer.close()
    header = path.stat().st_size
    total = -(-header // 32) * 32 + sum(-(-nbytes(one) // 32) * 32 for one in tensors)
    with path.open("r+b") as file:
        file.truncate(total)
    return path


def _add(writer: GGUFWriter, name: str, value: Any) -> None:
    if isinstance(value, bool):
        writer.add_bool(name, value)
    elif isinstance(value, int):
        writer.add_uint32(name, value)
    elif isinstance(value, float):
        writer.add_float32(name, value)
    elif isinstance(value, str):
        writer.add_string(name, value)
    elif isinstance(value, np.ndarray):  # of an element type that plain numbers do not tell
        kind = GGUFValueType[value.dtype.name.upper()]
        writer.add_key_value(name, value.tolist(), GGUFValueType.ARRAY, sub_type=kind)
    else:
        writer.add_array(name, value)


def write_shards(
    directory: Path,
    stem: str,
    architecture: str,
    keys: Mapping[str, Any],
    shards: Sequence[Sequence[Tensor]],
    tokens: int = 0,
) -> list[Path]:
    """A split model as llama-gguf-split leaves it: all metadata in the first shard."""
    total = sum(len(tensors) for tensors in shards)
    paths = []
    for number, tensors in enumerate(shards):
        split = {
            "=split.no": number,
            "=split.count": len(shards),
            "=split.tensors.count": total,
        }
        path = directory / f"{stem}-{number + 1:05d}-of-{len(shards):05d}.gguf"
        first = number == 0
        write(path, architecture, {**(keys if first else {}), **split}, tensors,
              tokens if first else 0)  # fmt: skip
        paths.append(path)
    return paths


def dense_keys(**more: Any) -> dict[str, Any]:
    """A small dense transformer of 4 layers, 8 query and 2 KV heads of 64."""
    return {
        "block_count": 4,
        "context_length": 8192,
        "embedding_length": 512,
        "attention.head_count": 8,
        "attention.head_count_kv": 2,
        **more,
    }


def dense_tensors(layers: int = 4, output: bool = True) -> list[Tensor]:
    """Its tensors; the names are llama.cpp's."""
    tensors: list[Tensor] = [("token_embd.weight", (512, 1000), Q8_0)]
    for layer in range(layers):
        tensors += [
            (f"blk.{layer}.attn_norm.weight", (512,), F32),
            (f"blk.{layer}.attn_q.weight", (512, 512), Q8_0),
            (f"blk.{layer}.attn_k.weight", (512, 128), Q8_0),
            (f"blk.{layer}.ffn_down.weight", (1024, 512), Q4_K),
        ]
    tensors.append(("output_norm.weight", (512,), F32))
    return [*tensors, ("output.weight", (512, 1000), Q8_0)] if output else tensors


def qwen35_122b() -> tuple[dict[str, Any], list[Tensor]]:
    """Qwen3.5-122B-A10B as measured in reference/llama-cpp.md, 4.4 and 4.5: Q8_0, Q4_K experts."""
    keys = {
        "block_count": 48,
        "context_length": 262144,
        "embedding_length": 3072,
        "attention.head_count": 32,
        "attention.head_count_kv": 2,
        "attention.key_length": 256,
        "attention.value_length": 256,
        "expert_count": 256,
        "expert_used_count": 8,
        "full_attention_interval": 4,
        "ssm.conv_kernel": 4,
        "ssm.inner_size": 8192,
        "ssm.state_size": 128,
        "ssm.time_step_rank": 64,
        "ssm.group_count": 16,
    }
    tensors: list[Tensor] = [("token_embd.weight", (3072, 248320), Q8_0)]
    for layer in range(48):
        tensors += [
            (f"blk.{layer}.attn_norm.weight", (3072,), F32),
            (f"blk.{layer}.ffn_gate_inp.weight", (3072, 256), F32),
            (f"blk.{layer}.ffn_gate_exps.weight", (3072, 1024, 256), Q4_K),
            (f"blk.{layer}.ffn_up_exps.weight", (3072, 1024, 256), Q4_K),
            (f"blk.{layer}.ffn_down_exps.weight", (1024, 3072, 256), Q4_K),
            (f"blk.{layer}.ffn_up_shexp.weight", (3072, 1024), Q8_0),
            (f"blk.{layer}.ffn_down_shexp.weight", (1024, 3072), Q8_0),
        ]
    tensors += [("output_norm.weight", (3072,), F32), ("output.weight", (3072, 248320), Q8_0)]
    return keys, tensors


def shape(path: Path, architecture: str, keys: dict[str, Any],
          tensors: list[Tensor] | None = None) -> ModelShape:  # fmt: skip
    """What is read of a file of these keys; without tensors it is a dense model's."""
    chosen = dense_tensors(keys["block_count"]) if tensors is None else tensors
    return read_shape([write(path / "model.gguf", architecture, keys, chosen)])


def windows(found: ModelShape) -> list[int | None]:
    """The sliding window of each layer in tokens, None where it attends to all."""
    return [layer.sliding_window for layer in found.layers]
