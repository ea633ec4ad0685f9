"""A newer kernel that is installed and not booted yet: it gets the driver too, or no reboot."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from pyinfra.facts.files import FileContents

from boxwright.operation.apt import Candidates
from boxwright.operation.dnf import RpmCandidates
from roles.driver import kernel, load
from roles.driver.boot import BootKernels, next_of
from roles.driver.state import BuildReport, ModuleListed, Nouveau, NouveauState
from tests.unit.driver_hosts import NVIDIA_620, driven, on, ryzen
from tests.unit.plans import FEDORA, PASCAL, ROCKY_9, UBUNTU
from tests.unit.role_host import RoleHost, box
from tests.unit.shell import programs

RUNNING, NEXT = "6.12.48+deb13-amd64", "6.12.63+deb13-amd64"
HEADERS = f"linux-headers-{NEXT}"


def upgraded(*listed: str, available: tuple[str, ...] = ()) -> RoleHost:
    """A host whose next boot starts another kernel; these kernels have a module."""
    host = box(ryzen(**NVIDIA_620))
    host.facts |= {
        BootKernels: (RUNNING, NEXT),
        ModuleListed: lambda kernel: kernel in listed,
        BuildReport: ("error: no such member",),
        Candidates: lambda names, options: {name: "1" for name in names if name in available},
        FileContents: ["boot-1"],
    }
    return host


@pytest.mark.parametrize(
    ("running", "found", "following"),
    [
        (RUNNING, (RUNNING, NEXT), NEXT),
        (RUNNING, (), RUNNING),
        (RUNNING, (RUNNING, "6.12.63+deb13-cloud-amd64"), RUNNING),
        ("6.8.0-60-generic", ("6.8.0-60-generic", "6.8.0-71-generic"), "6.8.0-71-generic"),
        ("6.8.0-60-generic", ("6.8.0-60-generic", "6.8.0-71-lowlatency"), "6.8.0-60-generic"),
        ("5.14.0-1.el9.x86_64", ("0-rescue-8a", "5.14.0-1.el9.x86_64"), "5.14.0-1.el9.x86_64"),
        (
            "5.14.0-2.el9.x86_64",
            ("5.14.0-1.el9.x86_64", "5.14.0-2.el9.x86_64", "default 5.14.0-1.el9.x86_64"),
            "5.14.0-1.el9.x86_64",
        ),
    ],
)
def test_the_default_boots_next_or_the_newest_of_the_flavour(
    running: str, found: tuple[str, ...], following: str
) -> None:
    assert next_of(running, found) == following


def said_in(boot: Path, kernel: str, directory: Path) -> tuple[str, ...]:
    text = BootKernels().command(kernel=kernel).get_raw_value().replace("/boot", str(boot))
    done = subprocess.run(
        ["sh", "-c", text], env={"PATH": f"{directory}:/usr/bin:/bin"},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return BootKernels().process(done.stdout.splitlines())


def test_kernels_are_read_in_the_order_of_their_versions(tmp_path: Path) -> None:
    boot, scripts = tmp_path / "boot", tmp_path / "bin"
    boot.mkdir()
    scripts.mkdir()
    for name in ("6.12.9-amd64", "6.12.48-amd64"):
        (boot / f"vmlinuz-{name}").touch()
    (boot / "initrd.img-6.12.99-amd64").touch()
    assert said_in(boot, "6.12.9-amd64", scripts) == ("6.12.9-amd64", "6.12.48-amd64")
    assert said_in(boot, "7.0-pretended", scripts) == ()
    with programs(scripts, grubby=f"echo {boot}/vmlinuz-6.12.9-amd64"):
        assert said_in(boot, "6.12.9-amd64", scripts)[-1] == "default 6.12.9-amd64"


def test_the_next_kernel_gets_headers_and_module_before_the_reboot() -> None:
    host = upgraded(RUNNING, available=(HEADERS,))
    install, build = host.run(kernel.have_module)
    assert "--no-install-recommends" in install and HEADERS in install
    assert build == f"! command -v dkms >/dev/null || dkms autoinstall -k {NEXT}"
    assert upgraded(RUNNING, NEXT).run(kernel.have_module) == []


@pytest.mark.parametrize(
    ("os", "following", "headers", "builds"),
    [
        (UBUNTU, "6.8.0-71-generic", "linux-headers-6.8.0-71-generic", "dkms"),
        (ROCKY_9, "5.14.0-611.el9_7.x86_64", "kernel-devel-5.14.0-611.el9_7.x86_64", "dkms"),
        (FEDORA, "7.3.1-200.fc44.x86_64", "kernel-devel-7.3.1-200.fc44.x86_64", "akmods"),
    ],
    ids=["ubuntu", "rocky", "fedora"],
)
def test_each_family_names_the_next_kernel_s_headers(
    os: dict[str, str], following: str, headers: str, builds: str
) -> None:
    half = {"loaded": "1", "installed": "580.1", "userspace": "580.1", "flavour": "proprietary"}
    host = on(os, PASCAL, nvidia=half)
    host.facts |= {
        BootKernels: (os["kernel"], following),
        ModuleListed: lambda kernel: kernel == os["kernel"],
        Candidates: lambda names, options: {name: "1" for name in names},
        RpmCandidates: lambda names, options: {name: "1" for name in names},
    }
    install, build = host.run(kernel.have_module)
    assert headers in install
    assert f"{builds} " in build and following in build


def test_the_next_kernel_s_signed_modules_come_where_the_running_one_has_such() -> None:
    half = {"loaded": "1", "installed": "580.1", "userspace": "580.1", "flavour": "proprietary"}
    host = on(UBUNTU, PASCAL, nvidia=half)
    name = "linux-modules-nvidia-580-server-{}"
    host.install(name.format(UBUNTU["kernel"]), version="6.8.0-60.63")
    host.facts |= {
        BootKernels: (UBUNTU["kernel"], "6.8.0-71-generic"),
        ModuleListed: lambda kernel: kernel == UBUNTU["kernel"],
        Candidates: lambda names, options: {name: "1" for name in names},
    }
    install, *_ = host.run(kernel.have_module)
    assert name.format("6.8.0-71-generic") in install and "headers" not in install


def test_no_reboot_is_tried_into_a_kernel_without_a_module() -> None:
    host = upgraded(RUNNING)
    host.facts[BootKernels] = (RUNNING, NEXT)
    host.fails_next = lambda text: "rmmod" in text
    host.run(load.load_driver)
    assert not any("systemctl reboot" in one for one in host.sent)
    assert host.refusal is not None
    assert NEXT in host.refusal and "no such member" in host.refusal
    assert f"reboot this host into kernel {NEXT} first, then run again" in host.refusal


def test_a_driver_that_is_loaded_in_place_needs_no_reboot_and_is_not_refused() -> None:
    host = upgraded(RUNNING)

    def in_place(it: RoleHost) -> None:
        it.machine = driven(ryzen(**NVIDIA_620), "620.36.01")

    host.effects["rmmod"] = in_place
    assert len(host.run(load.load_driver)) == 1 and host.refusal is None


def test_the_next_kernel_s_initramfs_is_renewed_too() -> None:
    host = upgraded(RUNNING, NEXT)
    host.facts[Nouveau] = lambda kernel: NouveauState(True, True, stale_initramfs=kernel == NEXT)
    (renew,) = host.run(kernel.keep_nouveau_off)
    assert f"update-initramfs -u -k {NEXT}" in renew and RUNNING not in renew
