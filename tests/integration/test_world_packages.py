"""The lab's stand-in packages: complete repositories, true modules, an nvidia-smi in real words."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.lab.world import archive, debs, driver_files, drivers_nvidia, elf, kernels, signing
from tests.lab.world.debs import Deb

SMI = Path(driver_files.DATA) / "nvidia-smi.awk"
CARDS = """\
0000:03:00.0,Quadro P5000,16384,6.1,GPU-aaaa,Disabled,1,3,16,16,0,,
0000:82:00.0,Quadro P5000,16384,6.1,GPU-bbbb,Enabled,1,3,8,16,12000,4242,/usr/bin/python3
"""
needs_binutils = pytest.mark.skipif(shutil.which("as") is None, reason="needs binutils")
needs_dpkg = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="needs dpkg")


@pytest.fixture(scope="module")
def contents() -> dict[str, list[Deb]]:
    if shutil.which("as") is None:
        pytest.skip("needs binutils")
    return archive.contents()


def _repository(folder: str) -> str:
    """What apt sees together: a suite with all its components, or one flat repository."""
    return folder if folder.startswith("nvidia") else folder.rpartition("/")[0]


@pytest.mark.parametrize(
    "repository",
    [
        "ubuntu/pool/noble",
        "debian/pool/trixie",
        "debian/pool/bookworm",
        "nvidia/debian12/x86_64",
        "nvidia/debian13/x86_64",
    ],
)
def test_every_dependency_is_in_the_archive(
    contents: dict[str, list[Deb]], repository: str
) -> None:
    packages = [p for f, found in contents.items() if _repository(f) == repository for p in found]
    assert packages
    offered = {(p.name, p.version) for p in packages}
    for package in packages:
        for provided in package.relations.get("Provides", "").split(", "):
            name, version = _parsed(provided)
            offered.add((name, version or package.version))
    names = {name for name, _ in offered} | {"dkms"}  # Debian's and the lab's own archive
    for package in packages:
        for wanted in filter(None, package.relations.get("Depends", "").split(", ")):
            name, version = _parsed(wanted)
            assert (name, version) in offered if version else name in names, (package.name, wanted)


def _parsed(relation: str) -> tuple[str, str]:
    match = re.fullmatch(r"(\S*)(?: \(= (\S+)\))?", relation)
    assert match, relation
    return match[1], match[2] or ""


def test_file_names_do_not_collide(contents: dict[str, list[Deb]]) -> None:
    for folder, packages in contents.items():
        names = [package.file_name for package in packages]
        assert len(names) == len(set(names)), folder


def test_nvidias_repositories_have_what_the_real_ones_have() -> None:
    for release, branches in (("debian12", {580, 595, 620}), ("debian13", {595, 620})):
        packages = drivers_nvidia.repository(release)
        versions = {p.version for p in packages if p.name == "nvidia-driver-cuda"}
        assert {int(p.version[:3]) for p in packages if p.name.startswith("nvidia-driver-pin")} == (
            branches
        )
        assert any(v.startswith("580.") for v in versions) == (580 in branches)
        closed = {int(p.version[:3]) for p in packages if p.name == "nvidia-kernel-dkms"}
        assert max(closed) == 610 < max(int(v[:3]) for v in versions)
        empty = [p for p in packages if p.name == "cuda-drivers" and not p.relations]
        assert {int(p.version[:3]) for p in empty} == {615, 620}


@needs_binutils
@pytest.mark.parametrize(
    ("flavour", "licence"), [("open", "Dual MIT/GPL"), ("proprietary", "NVIDIA")]
)
def test_a_kernel_module_has_a_true_modinfo(tmp_path: Path, flavour: str, licence: str) -> None:
    path = tmp_path / "nvidia.ko"
    path.write_bytes(driver_files.module_for_kernel("580.1", flavour, "6.8.0-60-generic"))
    dump = subprocess.run(
        ["readelf", "-h", "-p", ".modinfo", path], capture_output=True, text=True, check=True
    ).stdout
    assert "REL (Relocatable file)" in dump
    entries = dict(re.findall(r"\]  (\w+)=(.*)", dump))
    assert entries["version"] == "580.1"
    assert entries["license"] == licence
    assert entries["vermagic"].startswith("6.8.0-60-generic SMP ")


def test_the_build_on_the_host_keeps_the_modules_size() -> None:
    dkms = (driver_files.DATA / "dkms.sh").read_text()
    assert f"vermagic_size={elf.VERMAGIC_SIZE}\n" in dkms
    assert f"vermagic={elf.VERMAGIC_MARK} SMP preempt mod_unload modversions" in dkms


@needs_dpkg
def test_a_package_is_what_dpkg_reads(tmp_path: Path) -> None:
    package = kernels.headers("6.8.0-60-generic", "6.8.0-60.63", "linux-headers-generic")[0]
    first = debs.build(package, tmp_path).read_bytes()
    again = debs.build(package, tmp_path)
    assert again.read_bytes() == first
    fields = subprocess.run(
        ["dpkg-deb", "--field", again, "Package", "Version", "Section"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert fields == (
        "Package: linux-headers-6.8.0-60-generic\nVersion: 6.8.0-60.63\nSection: kernel\n"
    )
    listing = subprocess.run(
        ["dpkg-deb", "--contents", again], capture_output=True, text=True, check=True
    ).stdout
    assert "/lib/modules/6.8.0-60-generic/build -> /usr/src/linux-headers" in listing
    assert "root/root" in listing


def smi(action: str, *variables: str) -> subprocess.CompletedProcess[str]:
    settings = [f"action={action}", "driver=580.173.02", "now=Mon", *variables]
    assigned = [word for setting in settings for word in ("-v", setting)]
    return subprocess.run(
        ["awk", "-F,", *assigned, "-f", str(SMI)],
        input=CARDS, capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_nvidia_smi_answers_a_query_in_csv() -> None:
    asked = "query=index,name,pci.bus_id,memory.total,memory.used,memory.free,compute_cap,fan.speed"
    assert smi("query", asked, "format=csv,noheader,nounits").stdout == (
        "0, Quadro P5000, 00000000:03:00.0, 16384, 0, 16384, 6.1, [N/A]\n"
        "1, Quadro P5000, 00000000:82:00.0, 16384, 12000, 4384, 6.1, [N/A]\n"
    )


def test_nvidia_smi_prints_units_and_a_header() -> None:
    answer = smi("query", "query=name,memory.total,power.limit", "format=csv", "id=1")
    assert answer.stdout == (
        "name, memory.total [MiB], power.limit [W]\nQuadro P5000, 16384 MiB, 180.00 W\n"
    )


def test_one_unknown_field_fails_the_whole_query() -> None:
    answer = smi("query", "query=name,colour", "format=csv")
    assert answer.returncode == 2
    assert answer.stdout.strip() == 'Field "colour" is not a valid field to query.'


def test_nvidia_smi_lists_who_holds_memory() -> None:
    answer = smi("apps", "apps=pid,used_memory", "format=csv,noheader,nounits")
    assert answer.stdout == "4242, 12000\n"
    assert smi("list").stdout.splitlines()[1] == "GPU 1: Quadro P5000 (UUID: GPU-bbbb)"


def test_nvidia_smi_draws_its_table() -> None:
    table = smi("plain").stdout
    assert "NVIDIA-SMI 580.173.02" in table
    assert "CUDA Version: 13.0" in table
    assert "12000MiB /  16384MiB" in table


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
def test_a_signed_module_ends_as_the_kernel_reads_it() -> None:
    """module_signature.h: the magic comes last, before it 12 bytes that end with the CMS's size."""
    whole = signing.signed(b"a module")
    assert whole.startswith(b"a module")
    rest = whole.removesuffix(b"~Module signature appended~\n")
    assert len(rest) == len(whole) - 28
    trailer = rest[-12:]
    assert trailer[2] == 2, "PKEY_ID_PKCS7"
    size = int.from_bytes(trailer[8:], "big")
    cms = rest[-12 - size : -12]
    assert len(rest) == len(b"a module") + size + 12
    printed = subprocess.run(
        ["openssl", "cms", "-cmsout", "-print", "-inform", "DER"],
        input=cms, capture_output=True, check=True,
    ).stdout  # fmt: skip
    assert b"Canonical Ltd. Kernel Module Signing" in printed
