"""The driver on the disk and the one that is loaded, as the probe reads them."""

from __future__ import annotations

import gzip
import lzma
from pathlib import Path
from typing import Any

import pytest

from tests.integration.kernel_modules import CLOSED, KERNEL, MODULES, ko
from tests.lab.hardware.tree import write_tree
from tests.unit.probing import probe


def nvidia(tree: Path) -> Any:
    write_tree(tree, {"proc/sys/kernel/osrelease": KERNEL})
    return probe(tree)["nvidia"]


@pytest.mark.parametrize(
    "place",
    [
        f"{MODULES}/updates/dkms/nvidia.ko",
        f"{MODULES}/updates/dkms/nvidia-current.ko",
        f"{MODULES}/updates/dkms/nvidia-current-open.ko",
        f"{MODULES}/kernel/nvidia-580srv/nvidia.ko",
        f"{MODULES}/extra/nvidia/nvidia.ko",
        f"{MODULES}/weak-updates/nvidia.ko",
        f"{MODULES}/kernel/drivers/video/nvidia.ko",
        f"usr/{MODULES}/updates/dkms/nvidia.ko",
    ],
)
def test_the_module_for_the_reports_kernel_is_found(place: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {place: ko("580.95.05", "NVIDIA")})
    found = nvidia(tmp_path)
    assert (found["installed"], found["flavour"]) == ("580.95.05", "proprietary")
    assert found["loaded"] is None


@pytest.mark.parametrize("pack", [(".xz", lzma.compress), (".gz", gzip.compress)])
def test_a_packed_module_is_read(pack: Any, tmp_path: Path) -> None:
    suffix, compress = pack
    place = f"{MODULES}/updates/dkms/nvidia.ko{suffix}"
    write_tree(tmp_path, {place: compress(ko("615.71.09", "Dual MIT/GPL"))})
    assert (nvidia(tmp_path)["installed"], nvidia(tmp_path)["flavour"]) == ("615.71.09", "open")


def test_modules_of_other_kernels_and_of_other_names_do_not_count(tmp_path: Path) -> None:
    module = ko("580.95.05", "NVIDIA")
    write_tree(
        tmp_path,
        {
            "lib/modules/6.1.0-1-amd64/updates/dkms/nvidia.ko": module,
            f"{MODULES}/updates/dkms/nvidia-drm.ko": module,
            f"{MODULES}/updates/dkms/nvidia-uvm.ko": module,
            f"{MODULES}/kernel/drivers/video/fbdev/nvidiafb.ko": module,
        },
    )
    assert nvidia(tmp_path) == {
        "loaded": None,
        "installed": None,
        "flavour": None,
        "userspace": None,
    }


def test_what_was_built_here_wins_over_what_the_kernel_brought(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            f"{MODULES}/kernel/drivers/video/nvidia.ko": ko("550.163.01", "NVIDIA"),
            f"{MODULES}/updates/dkms/nvidia.ko": ko("620.12.01", "Dual MIT/GPL"),
        },
    )
    assert nvidia(tmp_path)["installed"] == "620.12.01"


OPEN = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.95.05  Release Build  (x@y)"


@pytest.mark.parametrize(
    ("text", "version", "flavour"),
    [(OPEN, "580.95.05", "open"), (CLOSED, "535.261.03", "proprietary")],
)
def test_the_loaded_module_tells_itself(
    text: str, version: str, flavour: str, tmp_path: Path
) -> None:
    write_tree(tmp_path, {"proc/driver/nvidia/version": text})
    found = nvidia(tmp_path)
    assert (found["loaded"], found["flavour"], found["installed"]) == (version, flavour, None)


def test_flavour_is_the_installed_modules_where_both_differ(tmp_path: Path) -> None:
    write_tree(
        tmp_path,
        {
            "proc/driver/nvidia/version": CLOSED,
            "sys/module/nvidia/version": "535.261.03",
            f"{MODULES}/updates/dkms/nvidia.ko": ko("580.95.05", "Dual MIT/GPL"),
        },
    )
    found = nvidia(tmp_path)
    assert (found["loaded"], found["installed"]) == ("535.261.03", "580.95.05")
    assert found["flavour"] == "open"


@pytest.mark.parametrize("folder", ["usr/lib/x86_64-linux-gnu", "usr/lib64"])
def test_the_userspace_is_the_library_that_programs_load(folder: str, tmp_path: Path) -> None:
    write_tree(tmp_path / folder, {"libnvidia-ml.so.535.1.1": "", "libnvidia-ml.so.580.95.05": ""})
    (tmp_path / folder / "libnvidia-ml.so.1").symlink_to("libnvidia-ml.so.580.95.05")
    assert nvidia(tmp_path)["userspace"] == "580.95.05"


def test_debians_library_lies_behind_its_alternatives(tmp_path: Path) -> None:
    folder = "usr/lib/x86_64-linux-gnu"
    write_tree(tmp_path / folder, {"nvidia/current/libnvidia-ml.so.550.163.01": ""})
    (tmp_path / folder / "libnvidia-ml.so.1").symlink_to("/etc/alternatives/glx--libnvidia-ml.so.1")
    assert nvidia(tmp_path)["userspace"] == "550.163.01"
