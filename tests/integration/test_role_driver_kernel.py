"""The kernel before the driver is loaded: the right module built and known."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from roles.driver import kernel
from roles.driver.packages import unavailable
from roles.driver.state import BuildReport, ModuleListed
from tests.unit.driver_hosts import NVIDIA_620, on, ryzen
from tests.unit.plans import BLACKWELL, FEDORA, PASCAL, ROCKY_9, UBUNTU, plan_on
from tests.unit.role_host import RoleHost, box


def test_no_reboot_is_tried_without_a_module_and_the_reason_is_told() -> None:
    host = box(ryzen())
    host.facts[BuildReport] = ("dkms status: nvidia/620.36.01: added", "error: no member `foo'")
    sent = host.run(kernel.have_module)
    assert "dkms autoinstall -k 6.12.48+deb13-amd64" in sent[0]
    assert host.refusal is not None
    assert "added" in host.refusal and "no member" in host.refusal
    assert "6.12.48+deb13-amd64" in host.refusal


def test_a_build_that_was_cut_short_is_done_again() -> None:
    host = box(ryzen())

    def build(it: RoleHost) -> None:
        it.machine = ryzen(**NVIDIA_620)

    host.effects["dkms autoinstall"] = build
    host.facts[ModuleListed] = True
    assert len(host.run(kernel.have_module)) == 1
    assert host.refusal is None


@pytest.mark.parametrize(
    ("nvidia", "told"),
    [
        ({"installed": "595.58.03", "userspace": "595.58.03", "flavour": "proprietary"}, "595"),
        ({"installed": "620.36.01", "userspace": "595.58.03", "flavour": "open"}, "595.58.03"),
    ],
    ids=["flavour", "libraries"],
)
def test_parts_that_do_not_fit_are_refused_before_the_reboot(
    nvidia: dict[str, str], told: str
) -> None:
    host = box(ryzen(loaded=None, **nvidia))
    host.facts[BuildReport] = ("error: no member",)
    host.run(kernel.have_module)
    assert host.refusal is not None
    assert told in host.refusal and "error: no member" in host.refusal


ROCKY_580 = {
    "loaded": None, "installed": None, "flavour": None, "userspace": "580.178.04",
}  # fmt: skip


@pytest.mark.parametrize(
    ("os", "command"),
    [
        (ROCKY_9, "dkms autoinstall -k 5.14.0-570.17.1.el9_6.x86_64"),
        (FEDORA, "akmods --force --kernels 7.2.6-200.fc44.x86_64"),
        (UBUNTU, "dkms autoinstall -k 6.8.0-60-generic"),
    ],
    ids=["rocky", "fedora", "ubuntu"],
)
def test_the_module_is_built_for_the_report_s_kernel(os: dict[str, str], command: str) -> None:
    host = on(os, PASCAL, nvidia=ROCKY_580)
    host.facts[BuildReport] = ("nv-linux.h:21: error: implicit declaration",)
    sent = host.run(kernel.have_module)
    assert sent[0].endswith(command)
    assert host.refusal is not None
    assert "implicit declaration" in host.refusal and os["kernel"] in host.refusal


def test_a_signed_module_that_is_not_there_yet_is_waited_for_not_built() -> None:
    host = on(UBUNTU, BLACKWELL, nvidia=ROCKY_580)
    assert host.machine is not None
    host.machine = replace(host.machine, secure_boot=True)
    sent = host.run(kernel.have_module)
    assert len(sent) == 1 and host.refusal is not None
    assert "signed none for it yet" in host.refusal


def test_a_module_that_modprobe_does_not_know_is_made_known() -> None:
    host = box(ryzen(**NVIDIA_620))
    host.facts[ModuleListed] = False
    assert host.run(kernel.have_module) == ["depmod -a 6.12.48+deb13-amd64"]
    host.facts[ModuleListed] = True
    assert host.run(kernel.have_module) == []


@pytest.mark.parametrize(
    ("line", "listed"),
    [
        ("updates/dkms/nvidia-current.ko.xz:", True),
        ("extra/nvidia-580xx/nvidia.ko.xz: kernel/drivers/video/backlight.ko", True),
        ("kernel/nvidia-580srv/nvidia.ko:", True),
        ("kernel/drivers/net/forcedeth.ko: kernel/lib/nvidia.ko", False),
        ("kernel/drivers/platform/nvidia/wmi.ko:", False),
    ],
)
def test_the_list_that_modprobe_reads_is_read(line: str, listed: bool, tmp_path: Path) -> None:
    text = ModuleListed().command(kernel="6.1").get_raw_value()
    (tmp_path / "modules.dep").write_text(f"kernel/fs/ext4.ko.xz:\n{line}\n")
    text = text.replace("/lib/modules/6.1", str(tmp_path))
    done = subprocess.run(["sh", "-c", text], capture_output=True, text=True, check=True)
    assert ModuleListed().process(done.stdout.splitlines()) is listed


@pytest.mark.parametrize(
    ("place", "log", "told"),
    [
        (
            "dkms/nvidia/580.1/6.1/x86_64/log/make.log",
            "make -C /usr/src\nnv.c:4:5: error: too few arguments\nmake[1]: *** Error 2\n",
            ("nv.c:4:5: error: too few arguments",),
        ),
        ("dkms/nvidia/580.1/build/make.log", "one\ntwo\nthree\n", ("two", "three")),
        (
            "akmods/nvidia-580xx/580.1-1-for-6.1.failed.log",
            "nv.h:9: fatal error: linux/x.h: No such file\nerror: Bad exit status from build\n",
            (
                "nv.h:9: fatal error: linux/x.h: No such file",
                "error: Bad exit status from build",
            ),
        ),
    ],
)
def test_the_build_s_log_tells_its_first_errors(
    place: str, log: str, told: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / place
    file.parent.mkdir(parents=True)
    file.write_text(log)
    text = BuildReport().command()
    text = text.replace("/var/lib/dkms", f"{tmp_path}/dkms")
    text = text.replace("/var/cache/akmods", f"{tmp_path}/akmods")
    done = subprocess.run(
        ["sh", "-c", text],
        env={"PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert BuildReport().process(done.stdout.splitlines()) == told


def test_the_kernel_of_a_container_s_host_is_left_alone() -> None:
    loaded = {"loaded": "620.36.01", "installed": None, "flavour": "open", "userspace": "620.36.01"}
    host = box(replace(ryzen(**loaded), container="lxc"))
    assert host.run(kernel.keep_nouveau_off) == host.run(kernel.have_module) == []
    assert host.refusal is None


@pytest.mark.parametrize(
    ("missing", "cure"),
    [
        ("linux-modules-nvidia-580-server-6.8.0-60-generic", "apt-get dist-upgrade"),
        ("linux-modules-nvidia-580-server*", "correct the sources"),
        ("nvidia-utils-580-server", "correct the sources"),
        ("*", "correct the sources"),
    ],
)
def test_a_kernel_too_old_for_a_signed_module_is_upgraded(missing: str, cure: str) -> None:
    driver = plan_on(UBUNTU, PASCAL, secure_boot=True).driver
    assert driver is not None and driver.build == "signed"
    known = {name: "580.126.09" for name in driver.packages if not fnmatchcase(name, missing)}
    refusal = unavailable(driver, driver.packages, known)
    assert refusal is not None and cure in refusal.cure
    assert ("reboot" in refusal.cure) is ("dist-upgrade" in cure)
    assert unavailable(driver, (), {}) is None
