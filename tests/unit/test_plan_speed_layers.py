"""What a layer costs beside its weights follows from its own tensors, whatever its architecture."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.points import points
from boxwright import catalog
from boxwright.plan.layout import Layout, all_layers
from boxwright.plan.speed_decode import GpuSpeed, decode_seconds, host_speed
from boxwright.shapes import ModelShape
from tests.shapes.read import shape_of
from tests.unit.plans import machine, planned

# Norms and scales, and biases, of a layer that attends, as llama.cpp's src/models/*.cpp load them.
COUNTS = {
    "llama-3.3-70b": (2, 0),  # before each half
    "mixtral-8x7b": (2, 0),
    "llama-4-scout": (2, 0),
    "phi-4": (2, 0),
    "qwen3-30b": (4, 0),  # of Q and K, too
    "qwen3.5-27b": (4, 0),
    "qwen3.5-122b-a10b": (5, 0),  # the gate of its shared expert is a vector
    "minimax-m2.7": (4, 1),  # a bias that chooses experts
    "gemma-3-27b": (6, 0),  # after each half, too
    "gemma-4-31b": (7, 0),  # a scale of the layer
    "gemma-4-26b": (12, 0),  # three norms of the experts' part, two scales of its products
    "gpt-oss-20b": (2, 8),  # Q, K, V, output, router, three of experts; sinks are attention's
    "gpt-oss-120b": (2, 8),
    "glm-4.5-air": (2, 4),
    "ling-flash-2.0": (4, 1),
    "hunyuan-a13b": (4, 0),
    "gemma-2-27b": (4, 0),
    "qwen2.5-vl-32b": (2, 3),
}
# models of the catalogue and of the published speeds, by the shape that is theirs
TWINS = {
    "gpt-oss-20b": "gpt-oss-20b", "gpt-oss-120b": "gpt-oss-120b", "qwen3-30b": "qwen3-30b",
    "qwen3-235b": "qwen3-30b", "qwen3-32b": "qwen3-30b", "qwen3-8b": "qwen3-30b",
    "qwen3-4b": "qwen3-30b", "qwen3-14b": "qwen3-30b", "qwen3.5-122b": "qwen3.5-122b-a10b",
    "qwen3.5-397b": "qwen3.5-122b-a10b", "qwen3.5": "qwen3.5-27b",
    "qwen3.6-35b": "qwen3.5-122b-a10b", "qwen3.6": "qwen3.5-27b",
    "qwen3-coder-next": "qwen3.5-122b-a10b", "minimax-m2.7": "minimax-m2.7",
    "gemma-2": "gemma-2-27b", "gemma-3": "gemma-3-27b", "gemma-4-31b": "gemma-4-31b",
    "gemma-4-12b": "gemma-4-31b",
    "gemma-4-26b": "gemma-4-26b", "glm-4.5-air": "glm-4.5-air", "phi-4": "phi-4",
    "llama": "llama-3.3-70b", "mistral-7b": "llama-3.3-70b", "ministral": "llama-3.3-70b",
    "mistral-nemo": "llama-3.3-70b",
    "smollm2": "llama-3.3-70b", "mixtral": "mixtral-8x7b", "qwen2.5": "qwen2.5-vl-32b",
    "ling-flash": "ling-flash-2.0", "hunyuan-a13b": "hunyuan-a13b",
    "ernie-4.5-21b": "mixtral-8x7b",
}  # fmt: skip


def attending(shape: ModelShape) -> tuple[int, int]:
    last = [one for one in shape.layers if one.kv_elements_k][-1]
    return last.norms, last.biases


def twin(name: str) -> tuple[int, int] | None:
    found = [of for begin, of in TWINS.items() if name.startswith(begin)]
    return COUNTS[found[0]] if found else None


@pytest.mark.parametrize("name", COUNTS)
def test_norms_and_biases_are_counted_from_the_headers_tensors(name: str) -> None:
    assert attending(shape_of(name)) == COUNTS[name]


def test_estimates_have_the_norms_and_biases_of_their_files() -> None:
    found = {
        name: (row.geometry.norms, row.geometry.biases)
        for name, row in catalog.load().models.items()
        if row.geometry is not None and row.geometry.kv_elements_v
    }
    assert len(found) >= 12
    assert found == {name: twin(name) for name in found}


def test_the_published_speeds_models_have_those_of_their_files() -> None:
    found = {one.shape.architecture: attending(one.shape) for one in points()}
    plain = {name: counts for name, counts in found.items() if not name.startswith("deepseek")}
    assert plain == {name: twin(name) for name in plain}


def seconds(shape: ModelShape) -> float:
    constants, on = catalog.load().speed, machine("ryzen")
    row = constants.gpu_row("Blackwell", "12.0")
    assert row is not None
    layout = Layout(1, all_layers(shape))
    return sum(
        decode_seconds(
            constants, host_speed(on, constants), (GpuSpeed(1792, row),), shape, layout
        ).values()
    )


def test_more_norms_and_biases_take_longer_and_the_architectures_name_nothing() -> None:
    shape = shape_of("llama-3.3-70b")

    def with_counts(norms: int, biases: int) -> float:
        layers = tuple(replace(one, norms=norms, biases=biases) for one in shape.layers)
        return seconds(replace(shape, layers=layers))

    plain, normed, biased = with_counts(2, 0), with_counts(6, 0), with_counts(2, 4)
    assert seconds(replace(shape, architecture="gemma3")) == seconds(shape) == plain
    assert plain < biased < normed
    # a kernel of a CUDA graph takes 2 to 4 µs
    assert 80 * 4 * 2e-6 < normed - plain < 80 * 4 * 4e-6


def test_layers_that_run_twice_are_read_twice() -> None:
    """Nanbeige's loops: what a token takes grows by one run's reading with every run."""
    twice, thrice = shape_of("nanbeige-twice"), shape_of("nanbeige-thrice")
    once = replace(twice, layers=twice.layers[: len(twice.layers) // 2])
    seconds = []
    for shape in (once, twice, thrice):
        speed = planned(machine("ryzen"), shape).speed
        assert speed is not None
        seconds.append((1 / speed.decode_tok_s[1], 1 / speed.prefill_tok_s[1]))
    for first, second, third in zip(*seconds, strict=True):
        assert second - first == pytest.approx(third - second, rel=0.03)
        assert 1.6 < second / first < 2.01
