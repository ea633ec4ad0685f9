"""Memory by device and host, against figures of llama-fit-params that were measured elsewhere."""

from __future__ import annotations

from dataclasses import replace

import pytest

from boxwright.plan.context import ContextSize, layer_bytes, padded
from boxwright.plan.layout import HOST, Layout, all_layers, first_layers, shares
from boxwright.plan.results import MemoryPlan
from boxwright.shapes import LayerShape, ModelShape
from tests.unit.plans import (
    deepseek_v4_flash,
    gpu,
    layers,
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
    tiny,
)


def memory_of(
    shape: ModelShape,
    cards: int,
    placement: str = "cpu-moe",
    context: int = 32768,
    kind: str = "q8_0",
    ubatch: int = 512,
    parallel: int = 1,
) -> MemoryPlan:
    """The memory on a host with cards and RAM without end, so that every layout can be asked."""
    vast = [gpu(f"0000:{n:02x}:00.0", "10de:2bb1", vram_mib=400_000) for n in range(1, cards + 1)]
    on = machine("pro6000", gpus=vast, memory={"total_mib": 900_000})
    made = planned(
        on,
        shape,
        server_placement=placement,
        server_context=context,
        server_cache_type=kind,
        server_ubatch=ubatch,
        server_parallel=parallel,
    )
    assert made.memory is not None, made.refusal
    return made.memory


@pytest.mark.parametrize(
    ("shape", "gpu_mib", "host_mib"),
    [(qwen35_122b(), 5568, 62980), (minimax_m2(), 3578, 121150), (deepseek_v4_flash(), 7107, None)],
    ids=["qwen3.5-122b", "minimax-m2", "deepseek-v4-flash"],
)
def test_weights_with_experts_on_the_host(
    shape: ModelShape, gpu_mib: int, host_mib: int | None
) -> None:
    """reference/llama-cpp.md 4.5, measured with llama-fit-params of 0.7.0."""
    found = memory_of(shape, 1)
    assert found.devices[0].model_mib == pytest.approx(gpu_mib, abs=2)
    if host_mib is not None:
        assert found.host.model_mib == pytest.approx(host_mib, abs=2)


@pytest.mark.parametrize(
    ("shape", "context", "kind", "parallel", "expected_mib"),
    [
        (qwen35_122b(), 32768, "q8_0", 1, 408 + 149),
        (qwen35_122b(), 32768, "f16", 1, 768 + 149),
        (qwen35_122b(), 32768, "f16", 4, 1364),
        (qwen35_122b(), 131072, "f16", 1, 3072 + 149),
        (minimax_m2(), 32768, "q8_0", 1, 4216),
        (minimax_m2(), 32768, "f16", 1, 7936),
        (minimax_m2(), 131072, "f16", 1, 31744),
    ],
)
def test_context_of_the_article_s_models(
    shape: ModelShape, context: int, kind: str, parallel: int, expected_mib: int
) -> None:
    """reference/llama-cpp.md 4.4: KV cache and recurrent state."""
    found = memory_of(shape, 1, context=context, kind=kind, parallel=parallel)
    assert found.devices[0].context_mib == pytest.approx(expected_mib, abs=3)


@pytest.mark.parametrize(
    ("context", "ubatch", "expected_mib"),
    [(32768, 512, 258), (32768, 2048, 323), (131072, 512, 903)],
)
def test_context_of_deepseek_v4(context: int, ubatch: int, expected_mib: int) -> None:
    """reference/llama-cpp.md 4.4. The shape here tells no sums of rows that wait (12 MiB)."""
    found = memory_of(deepseek_v4_flash(), 1, context=context, kind="f16", ubatch=ubatch)
    assert found.devices[0].context_mib == pytest.approx(expected_mib, abs=13)


@pytest.mark.parametrize(
    ("cards", "placement", "context", "ubatch", "parallel", "devices", "host"),
    [
        (1, "cpu-moe", 8192, 512, 1, [(3578, 1054, 422)], (121150, 92)),
        (1, "cpu-moe", 32768, 512, 1, [(3578, 4216, 446)], (121150, 140)),
        (1, "cpu-moe", 131072, 512, 1, [(3578, 16864, 542)], (121150, 152)),
        (1, "cpu-moe", 32768, 2048, 1, [(3578, 4216, 1787)], (121150, 560)),
        (1, "cpu-moe", 131072, 2048, 1, [(3578, 16864, 2171)], (121150, 608)),
        (1, "cpu-moe", 32768, 512, 4, [(3578, 4216, 422)], (121150, 92)),
        (2, "cpu-moe", 32768, 512, 1, [(1525, 2176, 104), (2053, 2040, 396)], (121150, 140)),
        (1, "gpu", 32768, 512, 1, [(124106, 4216, 446)], (622, 56)),
        (2, "gpu", 32768, 512, 1, [(63733, 2176, 302), (60373, 2040, 573)], (622, 188)),
    ],
)
def test_minimax_m2_as_llama_fit_params_prints_it(
    cards: int,
    placement: str,
    context: int,
    ubatch: int,
    parallel: int,
    devices: list[tuple[int, int, int]],
    host: tuple[int, int],
) -> None:
    """Recorded from build b11669 over a sparse file of this shape with RPC devices:

    `llama-fit-params --rpc … --no-repack -fitp on -fit off -ngl all [-cmoe] -fa on -ctk q8_0
    -ctv q8_0 -c N -ub N -np N [-ts 1,1]`.
    """
    found = memory_of(
        minimax_m2(), cards, placement, context=context, ubatch=ubatch, parallel=parallel
    )
    for device, (model, kept, compute) in zip(found.devices, devices, strict=True):
        assert device.model_mib == pytest.approx(model, abs=2)
        assert device.context_mib == pytest.approx(kept, abs=2)
        assert device.compute_mib == pytest.approx(compute, abs=64, rel=0.02)
    assert found.host.model_mib == pytest.approx(host[0], abs=2)
    assert found.host.compute_mib == pytest.approx(host[1], abs=64, rel=0.02)


@pytest.mark.parametrize(
    ("placement", "expected"),
    [("gpu", [(478, 1904, 336), (157, 0, 40)]), ("cpu", [(478, 1904, 338)])],
)
def test_a_dense_model_that_shares_embeddings_and_output(
    placement: str, expected: list[tuple[int, int, int]]
) -> None:
    """Qwen3-0.6B's shape, recorded as above: 28 layers, hidden 1024, 8 KV heads of 128, Q8_0/Q4_K.

    The device with the output gets a copy of the embeddings; without a GPU there is one only.
    """
    hidden, ffn, vocabulary = 1024, 3072, 151936
    attention = hidden * 2 * (2048 + 1024) * 34 // 32
    norms = 4 * (2 * hidden + 2 * 128)
    layer = LayerShape(
        dense_bytes=attention + norms + 3 * hidden * ffn * 144 // 256,
        kv_elements_k=1024,
        kv_elements_v=1024,
    )
    shape = replace(
        tiny(),
        layers=(layer,) * 28,
        embedding_bytes=hidden * vocabulary * 34 // 32,
        output_bytes=0,
        other_bytes=4 * hidden,
        hidden_size=hidden,
        vocabulary=vocabulary,
        blocks=(),
    )
    found = memory_of(shape, 1, placement)
    rows = [(d.model_mib, d.context_mib, d.compute_mib) for d in found.devices]
    rows.append((found.host.model_mib, found.host.context_mib, found.host.compute_mib))
    for got, wanted in zip(rows, expected, strict=True):
        assert got == pytest.approx(wanted, abs=4)


def test_what_llama_cpp_does_not_count_is_itemised() -> None:
    """reference/llama-cpp.md 4.3: 432 and 648 MiB for the largest expert tensor, on CUDA0 only."""
    for shape, offload_mib in ((qwen35_122b(), 432), (minimax_m2(), 648)):
        first, second = memory_of(shape, 2).devices
        assert first.reserve.op_offload_mib == offload_mib
        assert second.reserve.op_offload_mib == 0
        assert first.need_mib == (
            first.model_mib + first.context_mib + first.compute_mib + first.reserve.sum_mib
        )
    assert memory_of(qwen35_122b(), 1, "gpu").devices[0].reserve.op_offload_mib == 0
    host = planned("xeon", qwen35_122b()).memory
    assert host is not None
    assert (host.host.cache_mib, host.host.reserve_mib) == (2048, 4096)


def test_layers_are_cut_where_llama_cpp_cuts_them() -> None:
    """Equal shares of 63 (62 layers and the output): 32 to the first device, 30 to the second."""
    layout = Layout(2, all_layers(minimax_m2()), split=(1.0, 1.0))
    on = [layout.device_of(number, 62) for number in range(63)]
    assert (on.count(0), on.count(1)) == (32, 31)
    assert on == sorted(on)
    by_layers = Layout(2, 63, split=(20.0, 43.0))
    assert [by_layers.device_of(number, 62) for number in range(63)].count(0) == 20
    partly = Layout(1, 10)
    assert [partly.device_of(number, 62) for number in range(63)].count(HOST) == 53


def test_every_byte_lies_somewhere_once() -> None:
    shape = minimax_m2()
    for layout in (
        Layout(0, 0),
        Layout(1, 63, first_layers(62)),
        Layout(2, 63, first_layers(30), (3.0, 1.0)),
        Layout(2, 63, frozenset({3, 40}), (3.0, 1.0), ((0, 1), (60, 0))),
        Layout(3, 20),
    ):
        assert sum(s.weight_bytes for s in shares(shape, layout).values()) == shape.file_bytes + (
            shape.other_bytes
        )


def test_experts_lie_where_the_layout_says() -> None:
    """As `-ot` puts them: layer 3's in host RAM, layer 0's on the second card."""
    layout = Layout(2, 63, frozenset({3}), experts_elsewhere=((0, 1),))
    assert [layout.device_of(number, 62) for number in (0, 1, 3)] == [0, 0, 0]
    assert [layout.experts_device(number, 62) for number in (0, 1, 3)] == [1, 0, HOST]
    usual, moved = shares(minimax_m2(), Layout(2, 63)), shares(minimax_m2(), layout)
    experts = [minimax_m2().layers[number].expert_bytes for number in (0, 3)]
    assert moved[1].weight_bytes == usual[1].weight_bytes + experts[0]
    assert moved[HOST].weight_bytes == usual[HOST].weight_bytes + experts[1]
    assert moved[0].weight_bytes == usual[0].weight_bytes - sum(experts)


def test_a_sliding_window_keeps_only_its_cells() -> None:
    layer = replace(layers(1, dense=1, kv=512)[0], sliding_window=128)
    size = ContextSize(tokens=32768, cache_type="f16", ubatch=512, sequences=2)
    assert layer_bytes(layer, size) == 2 * padded(128 + 512) * 1024 * 2
    short = ContextSize(tokens=300, cache_type="f16", ubatch=512, sequences=1)
    assert layer_bytes(layer, short) == 512 * 1024 * 2


@pytest.mark.parametrize(
    ("kind", "bits"),
    [("f32", 32), ("f16", 16), ("q8_0", 8.5), ("q5_1", 6), ("q5_0", 5.5), ("q4_0", 4.5)],
)
def test_bits_of_a_cached_element(kind: str, bits: float) -> None:
    """ggml's block sizes: a q8_0 block of 32 elements is 34 bytes, and so on."""
    layer = layers(1, dense=1, kv=1024)[0]
    size = ContextSize(tokens=4096, cache_type=kind, ubatch=512, sequences=1)
    assert layer_bytes(layer, size) == 4096 * 2048 * bits / 8
