"""Small mixture-of-experts models with random weights, in the format of a real architecture.

They exercise expert placement for real: every completion routes tokens through experts. The text
is noise, and always printable: only printable characters can be sampled.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

ARCHITECTURE = "qwen3moe"
CHAT_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant: {% endif %}"
)
BLOCK = 32


@dataclass(frozen=True)
class Dimensions:
    """The sizes of one model; names are those of the GGUF keys."""

    name: str
    blocks: int = 6
    embedding: int = 256
    expert_feed_forward: int = 1024
    experts: int = 16
    experts_used: int = 2
    heads: int = 8
    heads_kv: int = 2
    head_size: int = 64
    context: int = 8192
    seed: int = 20261123

    @property
    def parameters(self) -> int:
        """Weights in all."""
        return self._parameters(self.experts)

    @property
    def active_parameters(self) -> int:
        """Weights that one token meets."""
        return self._parameters(self.experts_used)

    def _parameters(self, experts: int) -> int:
        wide, narrow = self.heads * self.head_size, self.heads_kv * self.head_size
        attention = self.embedding * 2 * (wide + narrow) + 2 * self.head_size
        expert = 3 * self.embedding * self.expert_feed_forward
        router = self.embedding * self.experts
        block = attention + experts * expert + router + 2 * self.embedding
        vocabulary = len(tokens_and_merges()[0])
        return self.blocks * block + self.embedding * (2 * vocabulary + 1)


TINY = Dimensions("tiny-moe")
"""76 MiB of experts in 6 layers; the demo's model for expert placement."""
MINI = Dimensions("mini-moe", blocks=2, expert_feed_forward=256, experts=4)
"""2 MiB; for tests that download on purpose what is wrong."""


def byte_alphabet() -> list[str]:
    """The printable stand-in of each byte in a byte-level BPE vocabulary, by byte value."""
    kept = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    moved = iter(range(0x100, 0x200))
    return [chr(byte if byte in kept else next(moved)) for byte in range(256)]


def tokens_and_merges() -> tuple[list[str], list[str]]:
    """Every byte, a few merges, and the control tokens at the end."""
    space = byte_alphabet()[0x20]
    merges = [f"{space} t", "h e", f"{space}t he", "i n", "e r", "o n", "a n", "r e"]
    words = [merge.replace(" ", "") for merge in merges]
    return [*byte_alphabet(), *words, "<|endoftext|>", "<|im_end|>"], merges


class _Weights:
    """A deterministic stream of random tensors."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.Generator(np.random.PCG64(seed))

    def q8_0(self, *shape: int, scale: float = 0.02) -> npt.NDArray[np.uint8]:
        """Uniform weights in [-2·scale, 2·scale], already in blocks of one f16 and 32 int8."""
        *rows, width = shape
        blocks = np.empty((*rows, width // BLOCK, 2 + BLOCK), dtype=np.uint8)
        blocks[..., :2] = np.frombuffer(np.float16(2 * scale / 127).tobytes(), np.uint8)
        count = int(np.prod(shape))
        blocks[..., 2:] = np.frombuffer(self.random.bytes(count), np.uint8).reshape(
            blocks[..., 2:].shape
        )
        return blocks.reshape(*rows, -1)

    def f32(self, *shape: int, scale: float = 0.02) -> npt.NDArray[np.float32]:
        values = np.frombuffer(self.random.bytes(int(np.prod(shape)) * 2), np.int16)
        return (values.astype(np.float32) * np.float32(scale / 16384)).reshape(shape)


def write(size: Dimensions, directory: Path, shards: int) -> None:
    """Write the model as NAME-Q8_0.gguf, or as NAME-Q8_0-0000N-of-0000M.gguf."""
    logging.getLogger("gguf").setLevel(logging.ERROR)
    tensors = 3 + 12 * size.blocks
    writer = gguf.GGUFWriter(
        directory / f"{size.name}-Q8_0.gguf",
        ARCHITECTURE,
        split_max_tensors=-(-tensors // shards) if shards > 1 else 0,
    )
    _metadata(writer, size)
    _tensors(writer, size)
    with contextlib.redirect_stdout(None):
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
    writer.close()


def _metadata(writer: gguf.GGUFWriter, size: Dimensions) -> None:
    writer.add_name(size.name)
    writer.add_license("MIT")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(size.context)
    writer.add_embedding_length(size.embedding)
    writer.add_block_count(size.blocks)
    writer.add_feed_forward_length(size.expert_feed_forward)
    writer.add_expert_feed_forward_length(size.expert_feed_forward)
    writer.add_expert_count(size.experts)
    writer.add_expert_used_count(size.experts_used)
    writer.add_head_count(size.heads)
    writer.add_head_count_kv(size.heads_kv)
    writer.add_key_length(size.head_size)
    writer.add_value_length(size.head_size)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_freq_base(1e6)
    tokens, merges = tokens_and_merges()
    kinds = [gguf.TokenType.NORMAL] * (len(tokens) - 2) + [gguf.TokenType.CONTROL] * 2
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(merges)
    writer.add_eos_token_id(len(tokens) - 1)
    writer.add_pad_token_id(len(tokens) - 2)
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def _tensors(writer: gguf.GGUFWriter, size: Dimensions) -> None:
    weights = _Weights(size.seed)
    q8_0 = gguf.GGMLQuantizationType.Q8_0
    width, wide = size.embedding, size.heads * size.head_size
    narrow, experts, inner = size.heads_kv * size.head_size, size.experts, size.expert_feed_forward

    def quantized(name: str, *shape: int) -> None:
        writer.add_tensor(f"{name}.weight", weights.q8_0(*shape), raw_dtype=q8_0)

    def norm(name: str, length: int) -> None:
        writer.add_tensor(f"{name}.weight", np.ones(length, dtype=np.float32))

    vocabulary = len(tokens_and_merges()[0])
    quantized("token_embd", vocabulary, width)
    norm("output_norm", width)
    output = weights.f32(vocabulary, width, scale=0.5)
    output[:0x20] = output[0x7F:] = 0  # the first 256 token ids are the bytes, in order
    writer.add_tensor("output.weight", output)
    for block in range(size.blocks):
        prefix = f"blk.{block}"
        norm(f"{prefix}.attn_norm", width)
        quantized(f"{prefix}.attn_q", wide, width)
        quantized(f"{prefix}.attn_k", narrow, width)
        quantized(f"{prefix}.attn_v", narrow, width)
        quantized(f"{prefix}.attn_output", width, wide)
        norm(f"{prefix}.attn_q_norm", size.head_size)
        norm(f"{prefix}.attn_k_norm", size.head_size)
        norm(f"{prefix}.ffn_norm", width)
        writer.add_tensor(f"{prefix}.ffn_gate_inp.weight", weights.f32(experts, width))
        quantized(f"{prefix}.ffn_gate_exps", experts, inner, width)
        quantized(f"{prefix}.ffn_up_exps", experts, inner, width)
        quantized(f"{prefix}.ffn_down_exps", experts, width, inner)
