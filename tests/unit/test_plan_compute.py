"""Compute buffers: estimates where little is known, and what a graph must or must not do."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from boxwright.plan.context import CACHE_TYPES, ContextSize
from boxwright.plan.graph import compute_bytes, doubt, growth_bytes, ops
from boxwright.plan.graph.buffers import Buffers, Where
from boxwright.plan.graph.cut import sections
from boxwright.plan.graph.sections import FIRST_HOME, HOST_HOME
from boxwright.plan.graph.tensors import Graph, Tensor, shape
from boxwright.plan.layout import HOST, Layout, all_layers, first_layers
from boxwright.shapes import shape_from_json
from tests.integration.memory_cases import Case
from tests.shapes.read import shape_of
from tests.unit.plans import planned, tiny

MIB = 1024**2


def test_a_stamp_gives_the_same_figures() -> None:
    found = shape_of("gpt-oss-20b")
    case = Case("gpt-oss-20b", 2, ubatch=2048, experts="half")
    kept = shape_from_json(json.loads(json.dumps(found.to_json())))
    assert case.planned(kept) == case.planned(found)


@pytest.mark.parametrize("name", ["qwen3-30b", "minimax-m2.7", "smollm3-3b"])
def test_a_model_whose_tensors_are_not_known_is_estimated(name: str) -> None:
    """A stamp of an older version tells sizes only. The estimate is no exact figure."""
    exact = shape_of(name)
    layout, size = (
        Layout(1, all_layers(exact), first_layers(99)),
        ContextSize(32768, "q8_0", 2048, 1),
    )
    old = replace(exact, blocks=(), tensors={})
    known, guessed = (compute_bytes(one, layout, size)[0] for one in (exact, old))
    assert guessed == pytest.approx(known, rel=0.25)
    assert re.search("dimensions of this model's tensors are not known", doubt(old) or "")


def test_an_unknown_architecture_is_built_of_its_tensors_with_a_warning() -> None:
    known = shape_of("qwen3-30b")
    other = replace(
        known,
        architecture="newest",
        metadata={key.replace("qwen3moe", "newest"): v for key, v in known.metadata.items()},
    )
    layout, size = (
        Layout(1, all_layers(known), first_layers(99)),
        ContextSize(32768, "q8_0", 2048, 1),
    )
    assert compute_bytes(other, layout, size) == compute_bytes(known, layout, size)
    made = planned("pro6000", other, server_context=32768)
    assert any("architecture 'newest' is not known" in one for one in made.warnings)
    assert not any("not known" in one for one in planned("pro6000", known).warnings)


@pytest.mark.parametrize("name", ["qwen3.5-35b-a3b", "deepseek-v2-lite", "gemma-4-26b"])
def test_tensors_that_are_missing_are_no_error(name: str) -> None:
    """A header may be anything: what cannot be built is taken for a usual transformer."""
    found = shape_of(name)
    layout, size = Layout(1, all_layers(found)), ContextSize(8192, "f16", 512, 1)
    for keep in ("attn", "ffn", "ssm", "nothing"):
        some = tuple({n: d for n, d in one.items() if keep in n} for one in found.blocks)
        made = compute_bytes(replace(found, blocks=some), layout, size)
        assert set(made) == {0, HOST} and min(made.values()) > 0


NAMES = ["qwen3.5-35b-a3b", "gpt-oss-20b", "deepseek-v2-lite", "lfm2-8b-a1b"]


@settings(max_examples=10, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.sampled_from(sorted(CACHE_TYPES)),
    st.integers(1, 2),
    st.sampled_from(["none", "half", "some", "all"]),
    st.integers(0, 6),
    st.integers(0, 3),
)
def test_more_context_or_a_larger_batch_never_needs_less(
    name: str, kind: str, gpus: int, experts: str, context: int, ubatch: int
) -> None:
    """Compute buffers may shrink with more context, by a quarter at most: what is free between
    tensors lies elsewhere then. The tool prints the same (LFM2 among the recorded figures)."""
    case = Case(name, gpus, 4096 << context, kind, 256 << ubatch, experts)
    model = shape_of(name)
    found = case.planned(model)
    batch = replace(case, ubatch=512 << ubatch).planned(model)
    for old, new in zip(found, batch, strict=True):
        assert all(more >= less for more, less in zip(new, old, strict=True)), case
    longer = replace(case, context=8192 << context).planned(model)
    for old, new in zip(found, longer, strict=True):
        assert new[0] == old[0] and new[1] >= old[1] and new[2] >= 0.75 * old[2], case


def chain(*homes: int) -> Buffers:
    """A row of products, each with a weight on one of the backends; rows of 1 MiB."""
    graph = Graph()
    x = Tensor(shape(512, 512))
    x.input = True
    for home in homes:
        weight = Tensor(shape(512, 512))
        weight.weight, weight.home = True, FIRST_HOME if home == 0 else HOST_HOME
        x = ops.over(ops.multiply(weight, x))
    graph.expand(x)
    return Buffers(sections(graph, [0]), [0])


@pytest.mark.parametrize(
    ("homes", "mib"),
    [
        ((0,), [2, 1]),  # a copy of the input, and the product, which the activation overwrites
        ((0, 0, 0), [2, 1]),
        ((0, 1), [2, 2]),  # the input is given back before the host computes
        ((1, 1), [0, 2]),
    ],
)
def test_what_is_given_back_is_taken_again(homes: tuple[int, ...], mib: list[int]) -> None:
    peaks = chain(*homes)(Where(((0, 0, 0),), 0, 1, pipelined=False))
    assert [peak / MIB for peak in peaks] == mib


def test_batches_under_way_have_inputs_of_their_own() -> None:
    """GGML_SCHED_MAX_COPIES: four of the input, on the host and on the GPU, beside the product."""
    peaks = chain(0)(Where(((0, 0, 0),), 0, 1, pipelined=True))
    assert [peak / MIB for peak in peaks] == [4 + 1, 4]


def test_layers_that_only_draft_count_when_layers_are_spread() -> None:
    """GLM-4.5-Air: 46 layers and a drafting one, so 48 with the output: 24 to each device."""
    model = shape_of("glm-4.5-air")
    assert (len(model.layers), model.spread_layers, all_layers(model)) == (46, 47, 48)
    assert Layout(2, 48).places(model.spread_layers).count(0) == 24


def test_tokens_of_all_sizes_grow_with_the_batch() -> None:
    sizes = [ContextSize(32768, "f16", ubatch, 1) for ubatch in (128, 256, 512, 1024, 2048)]
    made = [compute_bytes(tiny(), Layout(1, 17), size)[0] for size in sizes]
    assert all(a < b for a, b in pairwise(made))


def test_buffers_that_grow_while_the_context_fills_have_their_room() -> None:
    """MiniMax-M3's indexer has a number for each position and token of a batch (n_ps,
    src/models/minimax-m3.cpp); 256 positions are counted in what is measured."""
    model, layout = shape_of("minimax-m3"), Layout(1, 61, first_layers(60))
    grown = growth_bytes(model, layout, ContextSize(131072, "q8_0", 2048, 1))

    assert grown[HOST] / MIB == pytest.approx((131072 - 256) * 2048 * 4 / MIB, rel=0.02)
    assert growth_bytes(model, layout, ContextSize(131072, "q8_0", 512, 1))[HOST] < grown[HOST] / 3
    assert set(
        growth_bytes(shape_of("qwen3-30b"), layout, ContextSize(32768, "q8_0", 512, 1)).values()
    ) == {0}


def test_what_llama_cpp_does_not_serve_as_others_is_said() -> None:
    """`GGML_ASSERT(a->ne[0] == b->ne[0])`, which `llama-fit-params` of b11669 prints for PLM."""
    assert "the server will not start" in (doubt(replace(tiny(), architecture="plm")) or "")
    assert "wants --embeddings" in (doubt(shape_of("bge-large")) or "")
    assert doubt(shape_of("qwen3-30b")) is None


@pytest.mark.parametrize(
    ("name", "ubatch", "sequences", "cure"),
    [
        ("kimi-linear-48b", 512, 3, "server_ubatch = 510"),
        ("minimax-01", 511, 2, "server_ubatch = 510"),
        ("kimi-linear-48b", 512, 4, None),
        ("kimi-k3", 512, 3, None),
    ],
)
def test_batches_that_do_not_divide_are_told_where_llama_cpp_fails(
    name: str, ubatch: int, sequences: int, cure: str | None
) -> None:
    """`llama-fit-params` of b11669 fails (`ggml_can_repeat`) at 512 / 3 and 511 / 2, and measures
    510 / 3, 512 / 4 and, of Kimi K3, 512 / 3."""
    said = doubt(shape_of(name), ContextSize(8192, "f16", ubatch, sequences))
    assert (said is None) if cure is None else (cure in (said or ""))


def test_a_header_that_tells_no_heads_is_planned_in_finite_time() -> None:
    """`tiny` names its heads by the keys of llama, which are none of another architecture's."""
    made = planned("pro6000", replace(tiny(), architecture="fooarch"))
    assert any("fooarch" in one for one in made.warnings) or made.refusal is not None
