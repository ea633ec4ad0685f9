"""`boxwright plan` as a command: reports, model files and the Hub in, text or JSON out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from boxwright.cli.main import main
from tests.integration.fleet import (
    FILE,
    MACHINES,
    REPOSITORY,
    Endpoints,
    big_moe,
    endpoints,
    report,
)
from tests.unit.gguf_files import write, write_shards

XEON, RYZEN = str(MACHINES / "xeon.json"), str(MACHINES / "ryzen.json")
PARTS = {
    "refusal", "driver", "runtime", "model", "placement", "memory", "server", "speed", "warnings",
    "offers",
}  # fmt: skip


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """119 billion parameters, sparse: only the header is there."""
    keys, tensors = big_moe()
    path = tmp_path_factory.mktemp("model") / "big.gguf"
    return str(write(path, "qwen3moe", keys, tensors, tokens=500))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoints]:
    with endpoints(tmp_path_factory.mktemp("world")) as where:
        yield where


@pytest.fixture(autouse=True)
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def boxwright(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def plans(*words: str, exit_code: int = 0) -> dict[str, Any]:
    done = boxwright("plan", *words, "--json")
    assert done.exit_code == exit_code, done.output
    document = json.loads(done.stdout)
    assert document["schema"] == "boxwright.plan/1"
    hosts: dict[str, Any] = document["hosts"]
    return hosts


def value(args: list[str], flag: str) -> str:
    return args[args.index(flag) + 1]


def test_each_report_gets_a_whole_plan_decided_by_its_own_hardware(model: str) -> None:
    hosts = plans("--facts", XEON, "--facts", RYZEN, "--gguf", model)
    assert list(hosts) == ["xeon", "ryzen"]
    for name in hosts:
        assert set(hosts[name]) >= PARTS
        assert hosts[name]["refusal"] is None
    assert (hosts["xeon"]["driver"]["branch"], hosts["xeon"]["runtime"]["cuda"]) == ("580", "12.8")
    assert hosts["ryzen"]["driver"]["flavour"] == "open"
    assert [d["pci"] for d in hosts["xeon"]["memory"]["devices"]] == [
        gpu["pci"] for gpu in json.loads(Path(XEON).read_text())["gpus"]
    ]


def test_what_is_asked_for_on_the_command_line_is_what_is_planned(model: str) -> None:
    asked = (
        "--ctx", "8192", "--cache-type", "f16", "--ubatch", "256", "--parallel", "2",
        "--cpu-moe", "--gpus", "1",
    )  # fmt: skip
    xeon = plans("--facts", XEON, "--gguf", model, *asked)["xeon"]
    args = xeon["server"]["args"]
    assert value(args, "--ctx-size") == "8192"
    assert value(args, "--cache-type-k") == value(args, "--cache-type-v") == "f16"
    assert value(args, "--ubatch-size") == "256"
    assert value(args, "--parallel") == "2"
    assert xeon["placement"]["cpu_moe"] is True
    assert len(xeon["memory"]["devices"]) == 1


def test_half_the_experts_and_a_forced_split(model: str) -> None:
    asked = ("--n-cpu-moe", "40", "--tensor-split", "3,2")
    xeon = plans("--facts", XEON, "--gguf", model, *asked)["xeon"]
    assert xeon["placement"]["n_cpu_moe"] == 40
    assert xeon["placement"]["tensor_split"] == [3, 2]


def test_a_refused_host_is_exit_3_and_its_plan_is_printed_all_the_same(
    model: str, tmp_path: Path
) -> None:
    small = tmp_path / "small.json"
    memory = {"total_mib": 16000, "available_mib": 15000, "swap_mib": 0, "dimms": []}
    small.write_text(json.dumps(report("ryzen", hostname="small", memory=memory)))
    hosts = plans("--facts", str(small), "--facts", XEON, "--gguf", model, exit_code=3)
    assert "16000" in hosts["small"]["refusal"]["reason"]
    assert hosts["small"]["refusal"]["cure"]
    assert hosts["small"]["memory"] is not None
    assert hosts["xeon"]["refusal"] is None


def test_equal_hostnames_do_not_hide_each_other(model: str) -> None:
    assert list(plans("--facts", XEON, "--facts", XEON, "--gguf", model)) == ["xeon", "xeon-2"]


def test_the_picture_shows_every_card_the_host_and_the_flags(model: str) -> None:
    done = boxwright("plan", "--facts", XEON, "--gguf", model)
    assert done.exit_code == 0
    for words in (
        "0000:03:00.0 Quadro P5000", "0000:82:00.0 Quadro P5000", "host RAM", "█",
        "580 proprietary", "--fit off", "all layers on 2 GPUs", "tok/s of an answer",
        "128k (more than the context)",
    ):  # fmt: skip
        assert words in done.stdout, words
    by_line = done.stdout.splitlines()
    order = [next(n for n, line in enumerate(by_line) if word in line)
             for word in ("decode", "host RAM:", "driver  ", "by setting")]  # fmt: skip
    assert order == sorted(order)


def test_offers_are_in_the_picture_and_in_the_json(model: str) -> None:
    asked = ("--facts", RYZEN, "--gguf", model, "--cpu-moe")
    offers = plans(*asked)["ryzen"]["offers"]
    assert [offer.split(" = ")[0] for offer in offers] == [
        "server_placement", "server_ubatch", "server_moe_cache_mib", "server_context",
    ]  # fmt: skip
    shown = boxwright("plan", *asked).stdout
    assert all(" ".join(offer.split()[:3]) in shown for offer in offers)


def test_the_picture_begins_with_the_refusal(model: str, tmp_path: Path) -> None:
    kepler = tmp_path / "kepler.json"
    gpus = [{"pci": "0000:01:00.0", "id": "10de:1180", "class": "0x030000"}]
    kepler.write_text(json.dumps(report("ryzen", gpus=gpus)))
    done = boxwright("plan", "--facts", str(kepler), "--gguf", model)
    assert done.exit_code == 3
    assert "REFUSED" in done.stdout and "Cure:" in done.stdout


def test_a_sharded_file_is_named_by_one_shard_and_needs_all(tmp_path: Path) -> None:
    keys, tensors = big_moe()
    half = len(tensors) // 2
    shards = write_shards(tmp_path, "cut", "qwen3moe", keys, [tensors[:half], tensors[half:]], 500)
    ryzen = plans("--facts", RYZEN, "--gguf", str(shards[0]))["ryzen"]
    assert ryzen["model"]["files"] == 2
    assert ryzen["model"]["size_mib"] > 65000
    shards[1].unlink()
    done = boxwright("plan", "--facts", RYZEN, "--gguf", str(shards[0]))
    assert done.exit_code == 1
    assert "00002-of-00002" in done.stderr


def test_a_url_of_a_hub_is_planned_from_its_header_alone(world: Endpoints, direct: None) -> None:
    url = f"{world.hub_url}/{REPOSITORY}/resolve/main/{FILE}"
    ryzen = plans("--facts", RYZEN, "--gguf", url)["ryzen"]
    assert ryzen["refusal"] is None
    assert ryzen["model"]["size_mib"] > 65000


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("--facts", XEON, "--gguf", "/nowhere/none.gguf"), 1, "none.gguf"),
        (("--facts", XEON, "--gguf", XEON), 1, "xeon.json"),
        (("--facts", XEON, "--gguf", "http://127.0.0.1:9/some/where.gguf"), 1, "resolve"),
        (
            (
                "--facts",
                "/nowhere.json",
            ),
            1,
            "nowhere.json",
        ),
        (("--facts", XEON, "some_inventory.py"), 2, "INVENTORY"),
        (("--facts", XEON, "--model", "a", "--gguf", "b"), 2, "--gguf"),
        (("--facts", XEON, "--quant", "a", "--gguf", "b"), 2, "--quant and --gguf"),
        (("--facts", XEON, "--ctx", "-1"), 2, "--ctx"),
        (("--facts", XEON, "--tensor-split", "a"), 2, "--tensor-split"),
    ],
)
def test_wrong_input_is_one_sentence(words: tuple[str, ...], code: int, said: str) -> None:
    done = boxwright("plan", *words)
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert "Traceback" not in done.output
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[" * 100000, "is no JSON"),
        ("[]", "no machine is reported"),
        ('{"hosts": {}}', "no machine is reported"),
        (json.dumps(report("xeon", gpus=[{"pci": "0", "id": "10de:1bb0", "vram_mib": -1}])),
         "vram_mib"),
        (json.dumps(report("xeon", gpus=[{"pci": "0", "id": "10de:1bb0", "link_width": -8}])),
         "link_width"),
        (json.dumps(report("xeon", memory={"total_mib": 64000, "available_mib": 1,
                                           "dimms": [{"size_mib": 1, "speed_mts": -5}]})), "speed"),
    ],
)  # fmt: skip
def test_a_report_that_cannot_be_meant_is_one_sentence(
    text: str, said: str, model: str, tmp_path: Path
) -> None:
    file = tmp_path / "boxes.json"
    file.write_text(text)
    done = boxwright("plan", "--facts", str(file), "--gguf", model)
    assert done.exit_code == 1 and done.stdout == ""
    assert "boxes.json" in done.stderr and said in done.stderr


def test_a_model_nobody_knows_is_refused_by_name() -> None:
    hosts = plans("--facts", XEON, "--model", "no-such-model", exit_code=3)
    assert "no-such-model" in hosts["xeon"]["refusal"]["reason"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ((), "32768 tokens of context to one user (KV cache q8_0), at http://127.0.0.1:8080"),
        (("--parallel", "4", "--cache-type", "f16"), "8192 tokens of context to each of 4 users"),
        (("--cpu-moe",), "all experts in host RAM"),
        (("--n-cpu-moe", "40", "--tensor-split", "3,2"), "experts of 40 of "),
    ],
)
def test_the_picture_tells_what_users_get(model: str, asked: tuple[str, ...], said: str) -> None:
    done = boxwright("plan", "--facts", XEON, "--gguf", model, *asked)
    assert done.exit_code == 0
    assert said in done.stdout


@pytest.mark.parametrize("option", ["gguf", "model", "quant", "cache-type", "tensor-split"])
def test_an_empty_value_is_a_variable_that_was_not_set(option: str) -> None:
    done = boxwright("plan", "--facts", XEON, f"--{option}", "")
    assert done.exit_code == 2
    assert f"--{option}" in done.output and "empty" in done.output
