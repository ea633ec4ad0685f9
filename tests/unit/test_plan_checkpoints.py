"""Context checkpoints: how many, how large, and that a plan has room for them.

The sizes are worked out here by hand from what llama.cpp's `state_write` writes (b11549).
"""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from rich.console import Console

from boxwright.cli.picture import picture_of
from boxwright.plan.checkpoints import FLAG, arguments, checkpoint_bytes
from boxwright.plan.context import ContextSize
from boxwright.plan.wanted import Wanted
from boxwright.shapes import LayerShape, ModelShape
from tests.unit.plans import (
    flags,
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
    refused,
    tiny,
    value_of,
)

MIB = 2**20


def checkpoints_mib(shape: ModelShape, box: str = "pro6000", **wishes: Any) -> int:
    made = planned(box, shape, **wishes)
    assert made.memory is not None, made.refusal
    return made.memory.host.checkpoints_mib


@pytest.mark.parametrize(("context", "count"), [(16384, 5), (32768, 7), (65536, 11), (262144, 32)])
def test_a_hybrid_model_keeps_its_state_once_per_8192_tokens_and_for_one_turn(
    context: int, count: int
) -> None:
    """149 MiB each (llama-cpp.md 4.4). Three are of a turn (server-context.cpp: where the last
    message begins, a batch before the prompt's end, and at it), and no slot keeps more than 32."""
    made = planned("pro6000", qwen35_122b(), server_context=context)
    assert made.memory is not None and made.server is not None, made.refusal
    assert made.memory.host.checkpoints_mib == pytest.approx(count * 149, abs=count / 2)
    # llama-server makes 32 in a context of any size unless it is told otherwise
    place = made.server.args.index("--ctx-checkpoints")
    assert made.server.args[place + 1] == str(count)


def test_every_slot_keeps_its_own() -> None:
    """Four slots share the context: 32768 tokens each, so 7 checkpoints each."""
    found = checkpoints_mib(qwen35_122b(), server_context=131072, server_parallel=4)
    assert found == pytest.approx(4 * 7 * 149, abs=14)


def test_a_model_whose_context_can_be_cut_anywhere_keeps_none() -> None:
    assert checkpoints_mib(minimax_m2()) == 0
    assert checkpoints_mib(tiny()) == 0


@pytest.mark.parametrize(
    ("context", "cache_type", "expected"),
    [
        # one row of K and V is 2 x 8 x 128 elements; the window is 1024 of them
        (32768, "f16", 2048 * 1024 * 2 + 4096),
        (32768, "q8_0", 2048 * 1024 * 34 // 32 + 4096),
        # a context shorter than the window
        (512, "f16", 2048 * 512 * 2 + 4096),
    ],
)
def test_of_a_window_its_tokens_are_saved_and_nothing_of_full_attention(
    context: int, cache_type: str, expected: int
) -> None:
    full = LayerShape(1, kv_elements_k=1024, kv_elements_v=1024)
    shape = replace(
        tiny(),
        layers=(full, replace(full, sliding_window=1024), LayerShape(1, recurrent_bytes=4096)),
    )
    assert checkpoint_bytes(shape, ContextSize(context, cache_type, 512, 1)) == expected
    assert checkpoint_bytes(shape, ContextSize(4 * context, cache_type, 512, 4)) == expected


@pytest.mark.parametrize("count", [0, 4])
def test_who_says_how_many_is_believed(count: int) -> None:
    made = planned("pro6000", qwen35_122b(), server_context_checkpoints=count)
    assert made.memory is not None
    assert made.memory.host.checkpoints_mib == pytest.approx(count * 149, abs=count / 2)
    assert value_of(made, "--ctx-checkpoints") == str(count)


@pytest.mark.parametrize("word", ["-ctxcp", "--ctx-checkpoints", "--swa-checkpoints"])
def test_an_argument_that_says_how_many_is_refused_with_the_option(word: str) -> None:
    made = planned("pro6000", qwen35_122b(), server_extra_args=(word, "4"))
    assert "server_context_checkpoints" in refused(made)
    assert "-1" in refused(planned("pro6000", server_context_checkpoints=-1))


def test_a_build_that_cannot_be_told_is_told_nothing_and_the_user_is() -> None:
    for has, told in ((frozenset({"--model"}), False), (frozenset({FLAG}), True), (None, True)):
        assert (FLAG in arguments(qwen35_122b(), Wanted(), has)) is told
    assert arguments(minimax_m2(), Wanted(), None) == arguments(None, Wanted(), None) == ()


@pytest.mark.parametrize(("shape", "told"), [(qwen35_122b(), True), (minimax_m2(), False)])
def test_what_is_counted_and_cannot_be_told_is_a_warning(shape: ModelShape, told: bool) -> None:
    usual = planned("pro6000", tiny())
    assert usual.runtime is not None
    release = usual.runtime.release
    for has, warned in ((flags("b11669") - {FLAG}, told), (flags("b11669"), False)):
        made = planned("pro6000", shape, {"flags_by_release": {release: has}})
        assert any("7 checkpoints of 149 MiB" in said for said in made.warnings) is warned
        assert made.server is not None
        assert (FLAG in made.server.args) is (told and FLAG in has)


def test_a_host_without_room_for_them_is_refused_and_fewer_of_them_help() -> None:
    whole = planned("xeon", qwen35_122b(), server_placement="cpu-moe").memory
    assert whole is not None
    small = machine("xeon", memory={"total_mib": whole.host.need_mib - 500})
    assert "RAM" in refused(planned(small, qwen35_122b(), server_placement="cpu-moe"))
    fewer = planned(
        small,
        qwen35_122b(),
        server_placement="cpu-moe",
        server_context_checkpoints=2,
    )
    assert fewer.refusal is None and fewer.server is not None
    assert value_of(fewer, "--ctx-checkpoints") == "2"


def test_the_picture_shows_them_beside_the_host_s_other_memory() -> None:
    on, made = machine("pro6000"), planned("pro6000", qwen35_122b())
    assert made.memory is not None
    console = Console(width=200, record=True, file=io.StringIO())
    console.print(picture_of("pro6000", on, made))
    assert f"▞ checkpoints {made.memory.host.checkpoints_mib}" in console.export_text()
