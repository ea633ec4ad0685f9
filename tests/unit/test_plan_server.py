"""The server's arguments: spelled for each build, checked against its own --help, never open."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from boxwright.plan import Plan
from boxwright.plan.layout import Layout
from tests.unit.plans import (
    AMPERE,
    BLACKWELL,
    PASCAL,
    flags,
    gpu,
    machine,
    minimax_m2,
    planned,
    qwen35_122b,
    refused,
    row,
    value_of,
)

OLD_ROWS = tuple(row(build, None, []) for build in ("b10068", "b10434"))


def args(made: Plan) -> tuple[str, ...]:
    assert made.server is not None, made.refusal
    return made.server.args


def test_the_article_s_xeon() -> None:
    """Every flag of the article in today's words, and what it leaves to chance made explicit."""
    made = planned("xeon", qwen35_122b(), server_placement="cpu-moe")
    assert value_of(made, "--n-gpu-layers") == "all"
    assert "--cpu-moe" in args(made)
    assert value_of(made, "--split-mode") == "layer"
    assert value_of(made, "--tensor-split") == "1,1"
    assert value_of(made, "--ctx-size") == "32768"
    assert value_of(made, "--parallel") == "1"
    assert value_of(made, "--fit") == "off"
    assert value_of(made, "--flash-attn") == "on"
    assert value_of(made, "--cache-type-k") == value_of(made, "--cache-type-v") == "q8_0"
    assert (value_of(made, "--batch-size"), value_of(made, "--ubatch-size")) == ("2048", "512")
    assert value_of(made, "--threads") == value_of(made, "--threads-batch") == "40"
    assert value_of(made, "--numa") == "distribute"
    assert value_of(made, "--load-mode") == "mlock"
    assert value_of(made, "--cache-ram") == "2048"
    assert {"--metrics", "--jinja"} <= set(args(made))
    assert value_of(made, "--alias") == "qwen3.5-122b-a10b"
    assert value_of(made, "--model") == (
        "/srv/models/qwen3.5-122b-a10b/Q4_K_M/Qwen3.5-122B-A10B-Q4_K_M-00001-of-00003.gguf"
    )


def test_one_node_gets_no_numa_options() -> None:
    made = planned("ryzen")
    assert "--numa" not in args(made)
    assert made.tuning is not None
    assert made.tuning.sysctl == {"vm.swappiness": "10"}
    assert (made.tuning.threads, made.tuning.numa) == (16, None)
    two = planned("xeon").tuning
    assert two is not None and two.sysctl["kernel.numa_balancing"] == "0"


@pytest.mark.parametrize("build", ["b11669", "b10434", "b10068"])
@pytest.mark.parametrize("known", [True, False], ids=["flags-known", "flags-unknown"])
def test_every_flag_is_in_the_build_s_own_help(build: str, known: bool) -> None:
    release = f"{build}-cpu-x86_64"
    knows = {"flags_by_release": {release: flags(build)}} if known else {}
    made = planned("plain", rows=OLD_ROWS, runtime_build=build, known=knows)
    given = [word for word in args(made) if word.startswith("--")]
    assert len(given) > 10
    assert set(given) <= flags(build)


@pytest.mark.parametrize(
    ("build", "mode", "spelled"),
    [
        ("b11669", None, ["--load-mode", "mlock"]),
        ("b11669", "mmap+mlock", ["--load-mode", "mmap+mlock"]),
        ("b10434", None, ["--load-mode", "mlock"]),
        ("b10068", None, ["--no-mmap", "--mlock"]),
        ("b10068", "none", ["--no-mmap"]),
        ("b10068", "mmap+mlock", ["--mlock"]),
        ("b10068", "mmap", []),
    ],
)
@pytest.mark.parametrize("known", [True, False], ids=["flags-known", "flags-unknown"])
def test_the_load_mode_in_each_build_s_words(
    build: str, mode: str | None, spelled: list[str], known: bool
) -> None:
    """reference/llama-cpp.md 3.1: --load-mode from b10114 on, the old flags until b10883."""
    knows = {"flags_by_release": {f"{build}-cpu-x86_64": flags(build)}} if known else {}
    made = planned("plain", rows=OLD_ROWS, runtime_build=build, server_load_mode=mode, known=knows)
    loading = {"--load-mode", "--no-mmap", "--mlock", *(["mlock", "mmap+mlock"])}
    assert [word for word in args(made) if word in loading] == spelled


def test_direct_io_has_no_old_spelling() -> None:
    made = planned("plain", rows=OLD_ROWS, runtime_build="b10068", server_load_mode="dio")
    assert "--load-mode" in refused(made)


@pytest.mark.parametrize(
    ("extra", "known", "named"),
    [
        (("--no-such-flag",), True, "--no-such-flag"),
        (("--no_such_flag", "1"), True, "--no-such-flag"),
    ],
)
def test_a_flag_the_build_does_not_take_is_refused_by_name(
    extra: tuple[str, ...], known: bool, named: str
) -> None:
    knows = {"flags_by_release": {"b11669-12.8-x86_64": flags("b11669")}} if known else {}
    sentence = refused(planned("xeon", server_extra_args=extra, known=knows))
    assert named in sentence and "b11669" in sentence


def test_extra_arguments_come_last_and_negative_numbers_are_values() -> None:
    knows = {"flags_by_release": {"b11669-12.8-x86_64": flags("b11669")}}
    made = planned("xeon", server_extra_args=("--predict", "-1"), known=knows)
    assert made.refusal is None and args(made)[-2:] == ("--predict", "-1")


def test_it_listens_on_loopback_unless_there_is_a_key() -> None:
    assert value_of(planned("xeon"), "--host") == "127.0.0.1"
    assert "--api-key-file" not in args(planned("xeon"))
    keyed = planned("xeon", server_api_key_set=True)
    assert value_of(keyed, "--host") == "0.0.0.0"
    assert value_of(keyed, "--api-key-file") == "/etc/boxwright/api-key"
    local = planned("xeon", server_api_key_set=True, server_host="127.0.0.1")
    assert value_of(local, "--host") == "127.0.0.1"
    for open_host in ("0.0.0.0", "192.168.1.5", "::"):
        assert "key" in refused(planned("xeon", server_host=open_host))
        assert planned("xeon", server_host=open_host, server_api_key_set=True).refusal is None


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ({"server_cache_type": "q3_0"}, "server_cache_type"),
        ({"server_load_mode": "always"}, "server_load_mode"),
        ({"server_numa": "mirror"}, "server_numa"),
        ({"server_threads": 0}, "server_threads"),
        ({"server_threads": 81}, "server_threads"),
        ({"server_port": 0}, "server_port"),
        ({"server_context": -1}, "server_context"),
        ({"server_parallel": 0}, "server_parallel"),
        ({"server_ubatch": -1}, "server_ubatch"),
        ({"server_cache_ram_mib": -1}, "server_cache_ram_mib"),
    ],
)
def test_values_that_cannot_be_meant(wishes: dict[str, Any], named: str) -> None:
    assert named in refused(planned("xeon", **wishes))


def test_a_larger_physical_batch_brings_its_logical_one() -> None:
    made = planned("ryzen", server_ubatch=4096)
    assert (value_of(made, "--batch-size"), value_of(made, "--ubatch-size")) == ("4096", "4096")


def test_wishes_for_threads_and_numa() -> None:
    made = planned("xeon", server_threads=24, server_numa="off")
    assert value_of(made, "--threads") == "24" and value_of(made, "--threads-batch") == "40"
    assert "--numa" not in args(made)


def test_a_hybrid_processor_counts_its_performance_cores() -> None:
    cpu = {"sockets": 1, "cores": 24, "threads": 32, "performance_cores": 8}
    assert value_of(planned(machine("plain", cpu=cpu)), "--threads") == "8"


def test_the_environment_orders_cards_by_pci_address_and_keeps_compiled_code() -> None:
    made = planned("xeon", server_environment={"CUDA_CACHE_MAXSIZE": "1", "MINE": "2"})
    assert made.server is not None
    assert made.server.environment == {
        "CUDA_DEVICE_ORDER": "PCI_BUS_ID",
        "CUDA_CACHE_PATH": "/var/cache/llama-server/nv",
        "CUDA_CACHE_MAXSIZE": "1",
        "MINE": "2",
    }
    plain = planned("plain").server
    assert plain is not None and plain.environment == {}


@pytest.mark.parametrize(
    ("ids", "ignored", "visible"),
    [
        ([PASCAL, PASCAL, PASCAL], 1, "0,2"),
        ([AMPERE, BLACKWELL], 0, "1"),
        # the ignored card is none of this driver's: CUDA does not count it
        ([PASCAL, BLACKWELL], 0, None),
        ([PASCAL, BLACKWELL], 1, None),
        # 580 proprietary drives both
        ([PASCAL, AMPERE], 1, "0"),
    ],
)
def test_ignored_cards_are_hidden_if_cuda_would_count_them(
    ids: list[str], ignored: int, visible: str | None
) -> None:
    cards = [gpu(f"0000:0{slot}:00.0", id) for slot, id in enumerate(ids, 1)]
    made = planned(machine("xeon", gpus=cards), ignore_gpus=(cards[ignored]["pci"],))
    assert made.server is not None, made.refusal
    assert made.server.environment.get("CUDA_VISIBLE_DEVICES") == visible


def test_weights_are_not_repacked_where_that_would_leave_them_unlocked() -> None:
    """Repacked buffers are not locked; with a card weights lie in its pinned buffers instead."""
    assert "--no-repack" in args(planned("plain"))
    assert "--no-repack" not in args(planned("plain", server_load_mode="none"))
    assert "--no-repack" not in args(planned("xeon", qwen35_122b()))


@settings(max_examples=60, deadline=None)
@given(shares=st.lists(st.floats(1e-6, 1e6), min_size=2, max_size=2))
@example([2 / 3, 1 / 3])
def test_shares_are_printed_so_that_no_layer_moves(shares: list[float]) -> None:
    layers = 62
    made = planned("xeon", minimax_m2(), server_placement="cpu-moe", server_tensor_split=shares)
    if made.server is None:
        return
    printed = tuple(float(share) for share in value_of(made, "--tensor-split").split(","))
    meant, given = (Layout(2, layers + 1, split=split) for split in (tuple(shares), printed))
    assert given.places(layers) == meant.places(layers)
