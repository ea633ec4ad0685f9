"""What a build needs on the host that compiles: the toolkit from packages, of which source."""

from __future__ import annotations

import configparser
import subprocess
from pathlib import Path
from typing import Any

import pytest
from pyinfra.facts.files import FindInFile

from boxwright.operation.apt import Candidates
from boxwright.operation.dnf import RpmCandidates
from boxwright.operation.nvidia_key import KeyFingerprints
from roles.runtime import cuda_source
from roles.runtime.cuda_source import FILES
from tests.integration.toolkits import brought, build_of, on, place
from tests.unit.plans import DEBIAN_12, DEBIAN_13, ROCKY_9

OLD_KEY = "EB693B3035CD5710E231E123A4B469963BF863CC"
OLD_RPM_KEY = "610C7B14E068A878070DA4E99CD0A493D42D0685"
SOURCE, KEY, DNF_SOURCE = FILES["apt"], cuda_source.KEY, FILES["dnf"]
OWN = f"-o Dir::Etc::SourceParts={cuda_source.PARTS}/"


def test_nvidia_s_repository_is_seen_by_the_commands_that_bring_the_toolkit_alone() -> None:
    host = on(DEBIAN_12)
    checked = iter([(), (OLD_KEY,)])
    host.facts[KeyFingerprints] = lambda path: next(checked)
    asked: list[str] = []

    def candidates(names: list[str], options: str) -> dict[str, str]:
        asked.append(options)
        return dict.fromkeys(names, "1")

    host.facts[Candidates] = candidates
    sent = brought(host, build_of(DEBIAN_12))
    assert host.refusal is None, host.refusal
    assert f"mv -T {KEY}.part {KEY}" in " ".join(sent)
    assert "compute/cuda/repos/debian12/x86_64/" in host.files[SOURCE]
    assert f"Signed-By: {KEY}" in host.files[SOURCE]
    lists, installed = place(host, "update"), place(host, "install -y")
    words = host.sent[installed].split()
    assert "cuda-cudart-dev-12-8" in words and "--no-install-recommends" in words
    assert OWN in host.sent[lists] and OWN in host.sent[installed] and asked == [OWN]
    assert place(host, f"upload {SOURCE}") < lists
    assert all(file.startswith("/run/") for file in host.files)


@pytest.mark.parametrize("fails", ["apt-get update", "apt-get install"])
def test_a_toolkit_that_does_not_come_leaves_no_source_behind(fails: str) -> None:
    """Nothing runs after the command that failed, so nothing could be taken away then."""
    host = on(DEBIAN_12)
    host.facts[KeyFingerprints] = (OLD_KEY,)
    host.fails_next = lambda text: fails in text
    brought(host, build_of(DEBIAN_12))
    assert host.refusal is not None and "apt-get could not" in host.refusal
    assert SOURCE in host.files and all(file.startswith("/run/") for file in host.files)


def test_with_dnf_the_repository_is_switched_on_for_single_commands() -> None:
    host = on(ROCKY_9)
    host.install("gnupg2", version="1")
    checked = iter([(), (OLD_RPM_KEY,)])
    host.facts[KeyFingerprints] = lambda path: next(checked)
    host.facts[RpmCandidates] = lambda names, options: (
        dict.fromkeys(names, "1") if options == "--enablerepo=boxwright-cuda" else {}
    )
    host.fails_next = lambda text: " install " in text
    brought(host, build_of(ROCKY_9))
    assert host.refusal is not None and "dnf could not install CUDA" in host.refusal
    parsed = configparser.ConfigParser()
    parsed.read_string(host.files[DNF_SOURCE])
    assert parsed.sections() == ["boxwright-cuda"]
    section = parsed["boxwright-cuda"]
    assert not section.getboolean("enabled") and section.getboolean("gpgcheck")
    assert section["baseurl"].endswith("/cuda/repos/rhel9/x86_64/")
    assert section["gpgkey"] == f"file://{KEY}"
    for part in ("makecache", "install -y", "cuda-nvcc"):
        assert part == "install -y" or "--enablerepo=boxwright-cuda" in host.sent[place(host, part)]


APT = """\
Dir "{0}";
Dir::State::status "{0}/status";
APT::Sandbox::User "root";
#clear Dir::Etc::Parts;
"""


@pytest.mark.skipif(not Path("/usr/bin/apt-config").exists(), reason="needs apt")
def test_apt_itself_sees_both_the_host_s_sources_and_these_and_only_when_told(
    tmp_path: Path,
) -> None:
    """Two flat repositories of files: one is the host's own, one is only there for a command."""
    own, parts = tmp_path / "etc/apt/sources.list.d", tmp_path / "run/sources"
    for directory in (own, tmp_path / "var/lib/apt/lists/partial", tmp_path / "var/cache/apt"):
        directory.mkdir(parents=True)
    (tmp_path / "status").touch()
    (tmp_path / "apt.conf").write_text(APT.format(tmp_path))
    settings = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "APT_CONFIG": str(tmp_path / "apt.conf")}

    def shell(text: str) -> str:
        return subprocess.run(
            ["sh", "-c", text], env=settings, check=True, capture_output=True, text=True
        ).stdout

    def repository(name: str) -> str:
        directory = tmp_path / name
        directory.mkdir()
        entry = f"Package: {name}\nVersion: 1\nArchitecture: all\nFilename: ./{name}.deb\n"
        (directory / "Packages").write_text(f"{entry}Size: 1\nSHA256: {'0' * 64}\n")
        return f"deb [trusted=yes] file:{directory} ./\n"

    (own / "own.list").write_text(repository("ours"))
    theirs = repository("theirs")
    shell(cuda_source.OWN_SOURCES.replace(cuda_source.PARTS, str(parts)))
    (parts / "cuda.list").write_text(theirs)
    options = f"-o Dir::Etc::SourceParts={parts}/"
    shell(f"apt-get update --error-on=any {options}")

    def offered(options: str) -> dict[str, str]:
        made = Candidates().command(["ours", "theirs"], options=options)
        return Candidates().process(shell(made.get_raw_value()).splitlines())

    assert offered(options) == {"ours": "1", "theirs": "1"}
    assert offered("") == {"ours": "1"}


def test_a_wrong_key_never_becomes_a_source() -> None:
    host = on(DEBIAN_12)
    host.facts[KeyFingerprints] = ("0123456789ABCDEF0123456789ABCDEF01234567",)
    brought(host, build_of(DEBIAN_12))
    assert host.refusal is not None and OLD_KEY in host.refusal
    assert SOURCE not in host.files and not any("cuda-nvcc" in text for text in host.sent)


def test_a_repository_without_the_toolkit_is_told() -> None:
    host = on(DEBIAN_12)
    checked = iter([(), (OLD_KEY,)])
    host.facts |= {KeyFingerprints: lambda path: next(checked), Candidates: {"cuda-cccl-12-8": "1"}}
    brought(host, build_of(DEBIAN_12))
    assert host.refusal is not None and "repository debian12 has no cuda-nvcc-12-8" in host.refusal
    assert "cuda-cccl" not in host.refusal and "runtime_cuda" in host.refusal
    assert not any("install" in text for text in host.sent[-3:])


def test_the_driver_s_own_source_of_the_same_repository_is_enough() -> None:
    host = on(DEBIAN_12)
    host.facts[FindInFile] = lambda path, pattern: (
        ["URIs: …/debian12/"] if path.endswith("boxwright-nvidia.sources") else None
    )
    brought(host, build_of(DEBIAN_12))
    assert host.refusal is None and SOURCE not in host.files
    assert place(host, "cuda-nvcc-12-8") >= 0


def test_debian_s_own_toolkit_comes_from_the_components_it_lies_in() -> None:
    host = on({**DEBIAN_13, "codename": "trixie"})
    brought(host, build_of(DEBIAN_13))
    assert host.refusal is None
    assert "Components: contrib non-free non-free-firmware" in host.files[cuda_source.COMPONENTS]
    assert place(host, f"upload {cuda_source.COMPONENTS}") < place(host, "nvidia-cuda-toolkit")


@pytest.mark.parametrize("os", [DEBIAN_12, DEBIAN_13], ids=["12", "13"])
def test_a_toolkit_that_is_there_costs_no_command(os: dict[str, Any]) -> None:
    host, source = on(os), build_of(os)
    assert source.toolkit is not None
    host.install(*source.toolkit.packages, version="1")
    assert brought(host, source) == []
