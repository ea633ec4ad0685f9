"""The packaged catalog against facts from elsewhere: PCI ids, NVIDIA's tables, known cards."""

from __future__ import annotations

from dataclasses import replace

import pytest

from boxwright import catalog
from boxwright.catalog.check import check

# reference/nvidia.md, section 6, "key ids": every one has to be a known card
KEY_IDS = [
    "1bb0", "1b30", "1bb1", "17f0", "17f1", "17fd", "103a", "102d", "1b06", "1b38",
    "1bb3", "15f8", "15f7", "15f9", "1db4", "1db6", "1db1", "1db5", "1df6", "1dba",
    "1eb8", "1e02", "1e04", "1e07", "1e30", "2204", "2203", "24b0", "2230", "2684",
    "2685", "26b1", "2331", "2b85", "2b87", "2b8c", "2c02", "2c05", "2f04", "2d04",
    "2bb1", "2bb4", "2bb5", "2bb3", "2c31", "2901", "1b07", "1b87", "1c07", "1d84",
    "2189", "1f0b", "1e09", "248a", "220d", "20c2", "2082",
]  # fmt: skip


@pytest.mark.parametrize("device", KEY_IDS)
def test_every_key_id_is_a_known_card_of_a_known_chip(device: str) -> None:
    kind = catalog.load().gpu(f"10de:{device}")
    assert kind.card is not None
    assert kind.known_chip
    assert kind.card.bandwidth_gb_s and kind.card.tdp_w


@pytest.mark.parametrize(
    ("device", "chip", "generation", "capability", "vram_mib"),
    [
        ("1bb0", "GP104", "Pascal", "6.1", 16384),
        ("15f8", "GP100", "Pascal", "6.0", 16384),
        ("17fd", "GM200", "Maxwell", "5.2", None),
        ("1db6", "GV100", "Volta", "7.0", 32768),
        ("1eb8", "TU104", "Turing", "7.5", 15360),
        ("20f1", "GA100", "Ampere", "8.0", 40960),
        ("2204", "GA102", "Ampere", "8.6", 24576),
        ("2684", "AD102", "Ada", "8.9", 24564),
        ("2331", "GH100", "Hopper", "9.0", 81559),
        ("2901", "GB100", "Blackwell", "10.0", 183359),
        ("2b85", "GB202", "Blackwell", "12.0", 32607),
        ("2bb1", "GB202", "Blackwell", "12.0", 97887),
        ("102d", "GK210", "Kepler", "3.7", 11441),
    ],
)
def test_what_a_pci_id_tells(
    device: str, chip: str, generation: str, capability: str, vram_mib: int | None
) -> None:
    kind = catalog.load().gpu(f"10de:{device}")
    assert kind.card is not None
    found = (kind.chip.chip, kind.generation, kind.chip.compute_cap, kind.card.vram_mib)
    assert found == (chip, generation, capability, vram_mib)


def test_the_branch_rule_of_every_id_is_the_one_line_rule() -> None:
    """reference/nvidia.md 1: < 0x1340 refuse, to 0x1DFF proprietary 580, from 0x2900 on open."""
    known = catalog.load()
    borders = (0x133F, 0x1340, 0x1DFF, 0x1E00, 0x28FF, 0x2900, 0xFFFF)
    for device in (*range(0, 0x10000, 17), *borders):
        rule = known.gpu(f"10de:{device:04x}").rule
        if device < 0x1340:
            assert rule.refusal and not rule.flavours
        elif device < 0x1E00:
            assert (rule.flavours, rule.last_branch) == (("proprietary",), 580)
        else:
            open_only = device >= 0x2900
            assert set(rule.flavours) == ({"open"} if open_only else {"open", "proprietary"})
            assert rule.last_branch is None
            assert rule.first_branch >= 570 or not open_only


def test_an_id_that_does_not_exist_yet_has_an_answer() -> None:
    between, beyond = (catalog.load().gpu(f"10de:{device}") for device in ("1e79", "fffe"))
    assert (between.chip.chip, between.known_chip, between.listed) == ("TU102", True, None)
    assert (beyond.known_chip, beyond.listed) == (False, None)
    assert beyond.rule.flavours == ("open",)


def test_other_vendors_are_no_cards_of_ours() -> None:
    with pytest.raises(ValueError, match="1002:744c"):
        catalog.load().gpu("1002:744c")


def test_the_toolkit_floors_are_those_of_cuda_s_release_notes() -> None:
    toolkits = catalog.load().toolkits
    assert toolkits["12.8"].ptx_driver == "570.26"
    assert toolkits["13.0"].ptx_driver == "580.65.06"
    assert {t.sass_driver for v, t in toolkits.items() if v.startswith("12")} == {"525.60.13"}
    assert {t.sass_driver for v, t in toolkits.items() if v.startswith("13")} == {"580.65.06"}
    assert toolkits["13.2"].broken and not toolkits["13.4"].broken


def test_the_pinned_build_has_a_row_for_each_upstream_asset() -> None:
    known = catalog.load()
    names = {row.asset: row for row in known.assets_of(known.llama.pinned_build)}
    assert set(names) == {
        "llama-b11669-bin-ubuntu-x64.tar.gz",
        "llama-b11669-bin-ubuntu-cuda-12.8-x64.tar.gz",
        "llama-b11669-bin-ubuntu-cuda-13.4-x64.tar.gz",
    }
    older = names["llama-b11669-bin-ubuntu-cuda-12.8-x64.tar.gz"]
    assert older.cudart == "cudart-llama-b11669-bin-ubuntu-cuda-12.8-x64.tar.gz"
    assert "61-virtual" in older.archs


def test_flags_came_and_went() -> None:
    known = catalog.load()
    assert not known.has_flag("b10113", "--load-mode") and known.has_flag("b10114", "--load-mode")
    assert known.has_flag("b10883", "--mlock") and not known.has_flag("b10884", "--mlock")
    assert known.has_flag("b1", "--metrics")


def test_the_article_s_models_have_their_defaults_and_pins() -> None:
    models = catalog.load().models
    assert models["qwen3.5-122b-a10b"].default_quant == "Q4_K_M"
    assert models["minimax-m2.7"].default_quant == "UD-IQ4_XS"
    assert models["deepseek-v4-flash"].default_quant == "MXFP4"
    qwen = models["qwen3.5-122b-a10b"].quants["Q4_K_M"].files
    assert [file.sha256[:8] for file in qwen if file.sha256] == ["467c9bd9", "90db1484", "e3c24b8e"]
    assert len(models) >= 10


def test_no_package_of_a_driver_can_move_to_another_branch_by_itself() -> None:
    """reference/nvidia.md 3.3, 3.4: these names follow whatever branch is newest."""
    forbidden = {"cuda-drivers", "cuda", "nvidia-driver", "nvidia-open", "cuda-compat"}
    for distribution in catalog.load().distributions:
        for source in distribution.sources:
            assert source.pin_packages
            for packages in source.packages.values():
                assert not forbidden & {*packages.install, *packages.signed}
                kept_by_name = all("{branch}" in name for name in packages.install)
                assert packages.hold or kept_by_name


def test_each_release_has_nvidia_s_repository_of_its_own() -> None:
    """nvidia.md 3.1: the older ones' SHA-1 keys are rejected on Debian 13 and Ubuntu 26.04."""
    found = {
        (one.id, one.version_id): source.repository
        for one in catalog.load().distributions
        for source in one.sources
        if source.name == "nvidia-repository"
    }
    assert found == {
        ("debian", "12"): "debian12", ("debian", "13"): "debian13", ("rocky", "9"): "rhel9",
        ("rocky", "10"): "rhel10", ("fedora", "44"): "fedora44",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("os_id", "version_id", "found"),
    [
        ("rocky", "9", "9"), ("rocky", "9.6", "9"), ("almalinux", "10.1", "10"),
        ("fedora", "44", "44"), ("ubuntu", "24.04", "24.04"), ("debian", "12", "12"),
        ("rocky", "90", None), ("rhel", "9.6", None), ("ubuntu", "24", None), ("fedora", "4", None),
    ],
)  # fmt: skip
def test_a_release_stands_for_its_minor_ones(
    os_id: str, version_id: str, found: str | None
) -> None:
    one = catalog.load().distribution(os_id, version_id)
    assert (one and one.version_id) == found


@pytest.mark.parametrize(
    ("toolkit", "capability", "compiles"),
    [
        ("11.8", "3.5", True), ("12.0", "3.5", False), ("12.4", "6.1", True),
        ("12.8", "6.1", True), ("12.9", "6.1", True), ("13.0", "6.1", False),
        ("12.4", "12.0", False), ("12.8", "12.0", True), ("13.4", "12.0", True),
        ("12.8", "12.1", False), ("12.9", "12.1", True), ("13.3", "10.7", False),
        ("13.4", "10.7", True), ("13.4", "99.9", False),
    ],
)  # fmt: skip
def test_12_8_and_12_9_alone_compile_for_pascal_and_blackwell(
    toolkit: str, capability: str, compiles: bool
) -> None:
    assert catalog.load().compiles(toolkit, capability) is compiles


@pytest.mark.parametrize(
    ("toolkit", "gcc", "headers"),
    [
        ("12.4", 13, "2.41"), ("12.8", 14, "2.41"), ("12.9", 14, "2.41"), ("13.0", 15, "2.42"),
        ("13.1", 15, "2.42"), ("13.3", 15, None), ("13.4", 16, None), ("13.5", 16, None),
    ],
)  # fmt: skip
def test_toolkits_take_the_compilers_and_the_glibc_of_their_headers(
    toolkit: str, gcc: int, headers: str | None
) -> None:
    row = catalog.load().toolkits[toolkit]
    assert (row.gcc_last, row.system_headers_from) == (gcc, headers)


def test_a_repository_with_the_sha_1_key_is_offered_to_nobody_whose_apt_rejects_it() -> None:
    known = catalog.load()
    host = next(one for one in known.build_hosts if one.rejects_sha1)
    offer = next(one for one in host.toolkits if one.repository)
    wrong = replace(host, toolkits=(replace(offer, repository="debian12"),))
    with pytest.raises(catalog.CatalogError, match="SHA-1"):
        check(replace(known, build_hosts=(wrong,)))
    names = {(one.id, one.version_id) for one in known.build_hosts if one.rejects_sha1}
    assert names == {("debian", "13"), ("ubuntu", "26.04")}
    assert {(one.id, one.version_id) for one in known.distributions} == {
        (one.id, one.version_id) for one in known.build_hosts
    }
