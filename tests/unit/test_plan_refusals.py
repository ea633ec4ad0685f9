"""What cannot be served is refused with what was found, what is needed, and the cure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from boxwright import catalog, plan
from boxwright.plan import Known, Refusal, Wanted
from tests.unit.plans import (
    AMD,
    BMC,
    INTEL,
    PASCAL,
    gpu,
    machine,
    planned,
    qwen35_122b,
    refused,
    tiny,
)


@pytest.mark.parametrize(
    ("os", "named"),
    [
        ({"id": "arch", "version_id": ""}, "arch"),
        ({"id": "debian", "version_id": "11"}, "debian 11"),
        ({"id": "ubuntu", "version_id": "25.10"}, "ubuntu 25.10"),
        ({"id": "rocky", "version_id": "8.10"}, "rocky 8.10"),
        ({"id": "rhel", "version_id": "9.6"}, "rhel 9.6"),
        ({"id": "fedora", "version_id": "43"}, "fedora 43"),
        ({"arch": "aarch64"}, "aarch64"),
        ({"init": "sysvinit"}, "systemd"),
    ],
)
def test_systems_that_are_not_supported(os: dict[str, str], named: str) -> None:
    assert named in refused(planned(machine("plain", os=os)))


def test_a_report_that_does_not_tell_the_init_is_believed() -> None:
    assert planned(machine("plain", os={"init": None})).refusal is None


def test_an_unknown_id_needs_its_vram_from_the_user_before_a_driver_runs() -> None:
    cards = [gpu("0000:01:00.0", "10de:1b7f")]
    sentence = refused(planned(machine("xeon", gpus=cards)))
    assert "0000:01:00.0" in sentence and "gpu_vram_mib" in sentence
    given = planned(machine("xeon", gpus=cards), gpu_vram_mib={"0000:01:00.0": 8192})
    assert given.refusal is None
    assert any("10de:1b7f" in warning for warning in given.warnings)
    told = planned(machine("xeon", gpus=[{**cards[0], "vram_mib": 8100}]))
    assert told.refusal is None and told.memory is not None
    assert told.memory.devices[0].total_mib == 8100


def test_a_card_beyond_the_catalog_needs_its_capability_and_then_is_served() -> None:
    cards = [gpu("0000:01:00.0", "10de:4a01")]
    size: dict[str, Any] = {"gpu_vram_mib": {"0000:01:00.0": 98304}}
    sentence = refused(planned(machine("ryzen", gpus=cards), **size))
    assert "10de:4a01" in sentence and "gpu_compute_cap" in sentence
    wrong = planned(machine("ryzen", gpus=cards), **size, gpu_compute_cap={"0000:01:00.0": "120"})
    assert "'120'" in refused(wrong)
    made = planned(machine("ryzen", gpus=cards), **size, gpu_compute_cap={"0000:01:00.0": "12.0"})
    assert made.refusal is None and made.runtime is not None
    assert made.runtime.architectures == ("120a-real",)


def test_the_driver_knows_a_card_s_capability_better_than_a_user() -> None:
    cards = [gpu("0000:01:00.0", PASCAL, compute_cap="6.1")]
    made = planned(machine("xeon", gpus=cards), gpu_compute_cap={"0000:01:00.0": "12.0"})
    assert made.runtime is not None and made.runtime.architectures == ("61-virtual",)


def test_a_card_sold_in_two_sizes_is_not_guessed_at() -> None:
    assert "gpu_vram_mib" in refused(
        planned(machine("xeon", gpus=[gpu("0000:01:00.0", "10de:1e07")]))
    )


def test_the_driver_knows_a_card_s_size_better_than_a_user() -> None:
    cards = [gpu("0000:01:00.0", PASCAL, vram_mib=16384)]
    made = planned(machine("xeon", gpus=cards), gpu_vram_mib={"0000:01:00.0": 99999})
    assert made.memory is not None and made.memory.devices[0].total_mib == 16384


@pytest.mark.parametrize(("id", "vendor"), [(AMD, "AMD"), (INTEL, "Intel")])
def test_cards_of_others_get_a_sentence_and_are_left_alone(id: str, vendor: str) -> None:
    cards = [gpu("0000:01:00.0", id, driver="amdgpu"), gpu("0000:03:00.0", PASCAL)]
    made = planned(machine("xeon", gpus=cards))
    assert made.refusal is None and made.memory is not None
    assert [device.pci for device in made.memory.devices] == ["0000:03:00.0"]
    (warning,) = made.warnings
    assert vendor in warning and "0000:01:00.0" in warning
    alone = planned(machine("plain", gpus=cards[:1]))
    assert alone.refusal is None and alone.driver is None


def test_a_server_board_s_own_display_chip_is_no_card() -> None:
    made = planned(machine("plain", gpus=[gpu("0000:05:00.0", BMC, driver="ast")]))
    assert made.refusal is None and made.warnings == ()


def test_a_card_that_is_passed_through_is_left_alone() -> None:
    cards = [gpu("0000:01:00.0", PASCAL, driver="vfio-pci"), gpu("0000:02:00.0", "10de:2b85")]
    made = planned(machine("ryzen", gpus=cards))
    assert made.refusal is None and made.driver is not None and made.driver.flavour == "open"
    assert any("vfio-pci" in warning for warning in made.warnings)


def test_a_card_in_instances_is_refused_by_name_until_it_is_left_out() -> None:
    cards = [gpu("0000:03:00.0", "10de:20b0", driver="nvidia", mig=mig) for mig in (True, False)]
    cards[1]["pci"] = "0000:82:00.0"
    sentence = refused(planned(machine("xeon", gpus=cards)))
    assert "0000:03:00.0" in sentence and "nvidia-smi -i 0000:03:00.0 -mig 0" in sentence
    assert "82:00.0" not in sentence
    alone = planned(machine("xeon", gpus=cards), ignore_gpus=("0000:03:00.0",))
    assert "MIG" not in (alone.refusal.reason if alone.refusal else "")


def test_an_address_without_a_card_in_ignore_gpus_is_said() -> None:
    made = planned("xeon", ignore_gpus=("0000:99:00.0",))
    assert made.refusal is None and any("0000:99:00.0" in w for w in made.warnings)


DISKS = [
    {"mount": "/", "filesystem": "ext4", "size_mib": 90000, "free_mib": 80000},
    {"mount": "/srv", "filesystem": "ext4", "size_mib": 90000, "free_mib": 60000},
    {"mount": "/srv/models2", "filesystem": "ext4", "size_mib": 900000, "free_mib": 900000},
]


@pytest.mark.parametrize(
    ("there_mib", "directory", "ok"),
    [
        (0, "/srv/models", False),
        (7000, "/srv/models", True),
        (0, "/var/models", True),
        (0, "/srv/models2/x", True),
    ],
)
def test_room_on_the_mount_that_holds_the_models(there_mib: int, directory: str, ok: bool) -> None:
    """Qwen3.5-122B's 65000 MiB, less what already lies there."""
    on = machine("ryzen", disks=DISKS)
    shape = replace(qwen35_122b(), file_bytes=66000 * 1024**2)
    made = planned(
        on, shape, models_directory=directory, known={"bytes_on_host": there_mib * 1024**2}
    )
    if ok:
        assert made.refusal is None
    else:
        sentence = refused(made)
        assert "60000 MiB" in sentence and "66000 MiB" in sentence and "/srv" in sentence


def test_a_read_only_model_disk_is_refused_unless_the_model_is_there() -> None:
    disks = [{**DISKS[0], "mount": "/srv/models", "read_only": True}]
    on = machine("ryzen", disks=disks)
    assert "read-only" in refused(planned(on))
    assert planned(on, known={"bytes_on_host": tiny().file_bytes}).refusal is None


@pytest.mark.parametrize(
    ("wishes", "named"),
    [
        ({"model": "no-such-model"}, "no-such-model"),
        ({"model": "auto"}, "minimax-m2.7"),
        ({"model_quant": "../../etc"}, "model_quant"),
        ({"model_quant": ".."}, "model_quant"),
    ],
)
def test_models_that_cannot_be_chosen(wishes: dict[str, Any], named: str) -> None:
    chosen = plan.choose_model(catalog.load(), Wanted(**wishes))
    assert isinstance(chosen, Refusal) and named in chosen.sentence()
    assert refused(planned("xeon", **wishes)) == chosen.sentence()


def test_the_default_quant_is_the_catalog_s_and_an_unlisted_one_is_the_hub_s_to_know() -> None:
    default = plan.choose_model(catalog.load(), Wanted(model="minimax-m2.7"))
    assert not isinstance(default, Refusal)
    assert (default.quant, default.names) == ("UD-IQ4_XS", ())
    other = plan.choose_model(catalog.load(), Wanted(model="minimax-m2.7", model_quant="Q6_K"))
    assert not isinstance(other, Refusal) and (other.quant, other.names) == ("Q6_K", ())
    elsewhere = plan.choose_model(
        catalog.load(), Wanted(model="deepseek-v4-flash", model_quant="UD-Q2_K_XL")
    )
    assert not isinstance(elsewhere, Refusal)
    assert elsewhere.repository == "unsloth/DeepSeek-V4-Flash-0731-GGUF"
    pinned = plan.choose_model(catalog.load(), Wanted())
    assert not isinstance(pinned, Refusal)
    assert len(pinned.names) == len(pinned.sha256) == 3


def test_a_build_that_is_too_old_for_the_model() -> None:
    sentence = refused(planned("xeon", model="deepseek-v4-flash", runtime_build="b9000"))
    assert "b9840" in sentence or "b9000" in sentence


def test_without_the_model_s_shape_nothing_is_promised() -> None:
    made = plan.make(machine("xeon"), catalog.load(), Wanted(), Known())
    assert "not known" in refused(made)
    assert made.driver is not None and made.runtime is not None and made.memory is None


def test_a_refusal_is_the_first_thing_that_is_wrong_and_memory_is_given_all_the_same() -> None:
    on = machine("xeon", gpus=[gpu("0000:01:00.0", PASCAL), gpu("0000:02:00.0", "10de:2b85")])
    made = planned(on, qwen35_122b())
    assert "0000:02:00.0" in refused(made)
    assert made.driver is None and made.server is None
    assert made.memory is not None and len(made.memory.devices) == 2
