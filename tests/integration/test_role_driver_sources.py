"""Where drivers come from: repository, mirror, components, pin."""

from __future__ import annotations

import pytest
from pyinfra.facts.apt import AptRepo, AptSources

from boxwright.operation.components import stanzas_for
from roles.driver import key, repository
from tests.unit.plans import machine
from tests.unit.role_host import box

KEY = key.KEYS["apt"]
SOURCE = repository.SOURCES["apt"]


def test_a_mirror_is_where_the_packages_come_from() -> None:
    host = box(machine("ryzen"), driver_nvidia_repository_url="http://mirror.lan/cuda/")
    host.run(repository.add_source)
    text = host.files[SOURCE]
    assert "URIs: http://mirror.lan/cuda/debian13/x86_64/\n" in text
    assert f"Signed-By: {KEY}\n" in text
    assert host.run(repository.add_source) == []


@pytest.mark.parametrize(
    ("url", "key", "ours"),
    [
        ("http://mirror.lan/cuda/debian13/x86_64/", "/usr/share/keyrings/cuda.gpg", False),
        ("http://mirror.lan/cuda/debian13/x86_64", "", False),
        ("http://mirror.lan/cuda/debian13/x86_64/", KEY, True),
        ("http://mirror.lan/cuda/debian12/x86_64/", "/usr/share/keyrings/cuda.gpg", True),
    ],
)
def test_a_source_that_the_host_has_already_is_not_added_with_a_second_key(
    url: str, key: str, ours: bool
) -> None:
    """apt reads no source at all where one repository has two keys (seen on a lab host)."""
    host = box(machine("ryzen"), driver_nvidia_repository_url="http://mirror.lan/cuda/")
    host.facts[AptSources] = [repo(url, "/", key=key)]
    host.run(repository.add_source)
    assert (SOURCE in host.files) == ours
    host.files[SOURCE] = "left by a run before the other was added"
    assert (f"rm -f {SOURCE}" in host.run(repository.add_source)) != ours


def test_ubuntu_s_archive_needs_no_other_source_and_a_left_one_goes() -> None:
    host = box(machine("xeon"))
    assert host.run(key.trust_key) == []
    host.files = {SOURCE: "old", KEY: "old"}
    assert host.run(repository.add_source) == [
        f"rm -f {SOURCE}",
        f"rm -f {KEY}",
    ]


def test_the_pin_is_above_what_would_keep_a_newer_branch() -> None:
    host = box(machine("xeon"))
    host.run(repository.pin_branch)
    fields = dict(line.split(": ", 1) for line in host.files[repository.PIN].splitlines())
    assert fields["Pin"] == "version 580.*"
    assert int(fields["Pin-Priority"]) > 1000
    assert "nvidia-*-580-server*" in fields["Package"].split()
    assert host.run(repository.pin_branch) == []


def repo(url: str, suite: str, *components: str, key: str = "/usr/share/k.gpg") -> AptRepo:
    return AptRepo("deb", url, suite, list(components), {"signed-by": key} if key else {})


def test_missing_components_come_from_the_host_s_own_archives() -> None:
    sources = [
        repo("http://deb/debian", "trixie", "main", "non-free-firmware"),
        repo("http://deb/debian", "trixie-updates", "main", "non-free-firmware"),
        repo("http://deb/security", "trixie-security", "main"),
        repo("http://vendor/apt", "stable", "main"),
        repo("http://vendor/apt", "trixie", "contrib"),
    ]
    stanzas = stanzas_for(sources, ("contrib", "non-free", "non-free-firmware"), "trixie")
    assert [(one["uri"], one["suite"]) for one in stanzas] == [
        ("http://deb/debian", "trixie"),
        ("http://deb/debian", "trixie-updates"),
        ("http://deb/security", "trixie-security"),
    ]
    assert {one["components"] for one in stanzas} == {"non-free"}
    assert {one["key"] for one in stanzas} == {"/usr/share/k.gpg"}
    assert stanzas_for(sources, ("contrib",), "trixie") == []


def test_components_are_written_as_apt_reads_them() -> None:
    host = box(machine("ryzen"), driver_source="debian-archive")
    ampere = {"pci": "0000:01:00.0", "id": "10de:2204", "class": "0x030000", "driver": "nouveau"}
    host.machine = machine("ryzen", gpus=[ampere])
    host.facts[AptSources] = [
        repo("http://deb/debian", "trixie", "main"),
        repo("http://deb/security", "trixie-security", "main", key=""),
    ]
    host.run(repository.add_components)
    text = host.files[repository.COMPONENTS]
    parsed = AptSources().process(["##PYINFRA_FILE /x.sources", *text.splitlines()])
    assert [(one.url, one.components) for one in parsed] == [
        ("http://deb/debian", ["contrib", "non-free", "non-free-firmware"]),
        ("http://deb/security", ["contrib", "non-free", "non-free-firmware"]),
    ]
