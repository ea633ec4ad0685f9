"""The server role: deadline, residence, the measured completion."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from boxwright.facts import DecodeRecord, ServiceState
from roles.server.decode import Identity, record_of, recorded
from roles.server.health import deadline_s, telling_line
from roles.server.residence import residence, resident_mib, wants_lock

SERVICE = ServiceState(
    active_state="active", main_pid=7, vm_lck_mib=100.0, memlock_limit="8388608", cap_ipc_lock=False
)


def test_the_deadline_grows_with_the_model() -> None:
    assert deadline_s(0, 300, 100) == 300
    assert deadline_s(69600, 300, 100) == 996
    assert deadline_s(69600, 300, 0) == 300 + 69600


def test_the_telling_line_is_the_one_that_says_why() -> None:
    journal = [
        "load_tensors: offloaded 49/49 layers to GPU",
        "ggml_backend_cuda_buffer_type_alloc_buffer: allocating 9000.00 MiB on device 0:"
        " cudaMalloc failed: out of memory",
        "llama_model_load: error loading model: unable to allocate CUDA0 buffer",
        "main: exiting due to model loading error",
    ]
    assert "out of memory" in telling_line(journal)
    assert telling_line(["all quiet", "error: invalid argument: --mlock", "bye"]) == (
        "error: invalid argument: --mlock"
    )
    assert telling_line(["one", "two"]) == "two"
    assert telling_line([]) == "the journal is empty"


@pytest.mark.parametrize(
    ("args", "locks"),
    [
        (("--load-mode", "mlock"), True),
        (("-lm", "mmap+mlock"), True),
        (("--no-mmap", "--mlock"), True),
        (("--load-mode", "none"), False),
        (("--alias", "mlock"), False),
        ((), False),
    ],
)
def test_whether_locking_is_asked_for(args: tuple[str, ...], locks: bool) -> None:
    assert wants_lock(args) is locks


def test_two_percent_less_than_planned_is_still_resident() -> None:
    assert residence(SERVICE, 102, ()) is None
    assert residence(SERVICE, 103, ()) is not None
    # a model wholly on the GPU leaves 0.1 MiB here, which a plan rounds up to 1
    assert residence(replace(SERVICE, vm_lck_mib=0.0, vm_pin_mib=0.0), 1, ()) is None
    assert residence(replace(SERVICE, vm_lck_mib=0.0, vm_pin_mib=0.0), 2, ()) is not None


def test_rounding_to_a_whole_mib_is_no_lack() -> None:
    assert residence(replace(SERVICE, vm_lck_mib=0.1), 1, ()) is None
    assert residence(replace(SERVICE, vm_lck_mib=0.1), 2, ()) is not None


def test_memory_that_cuda_pinned_counts() -> None:
    pinned = replace(SERVICE, mapped_device_mib=50.0, mapped_zero_mib=400.0)
    assert resident_mib(pinned) == 550
    assert resident_mib(replace(SERVICE, mapped_zero_mib=400.0)) == 100


def test_a_low_limit_without_the_capability_is_named_with_its_cure() -> None:
    said = "warning: failed to mlock 104857600-byte buffer (after previously locking 0 bytes)"
    answer = residence(SERVICE, 63000, ["loading", said])
    assert answer is not None
    for part in ("100 MiB", "63000 MiB", "8388608", "CAP_IPC_LOCK", "failed to mlock 104857600"):
        assert part in answer.reason
    assert "AmbientCapabilities=CAP_IPC_LOCK" in answer.cure


def test_with_limit_and_capability_the_memory_itself_is_short() -> None:
    able = replace(SERVICE, memlock_limit="unlimited", cap_ipc_lock=True)
    answer = residence(able, 63000, ())
    assert answer is not None
    assert "AmbientCapabilities" not in answer.cure and "host RAM" in answer.cure


IDENTITY = Identity("b11669-12.8-x64", "tiny", "Q4", "d" * 64, "boot")
TIMINGS = {"predicted_n": 32, "predicted_ms": 3599.505, "prompt_per_second": 60.5}


def test_a_record_is_read_back_and_ends_the_measuring() -> None:
    row = json.loads(record_of(IDENTITY, ("d" * 64, "h"), TIMINGS, 1_700_000_000))
    record = DecodeRecord(**row)
    assert record.decode_tok_s == 8.612 and record.predicted_n == 32
    assert recorded([record], IDENTITY)
    assert recorded([row], IDENTITY)
    for name in ("release", "model", "quant", "config_digest", "boot_id"):
        assert not recorded([record], replace(IDENTITY, **{name: "other"}))
