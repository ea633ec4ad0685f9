"""What a fact answers on a host of tests that was given no answer to it."""

from __future__ import annotations

import hashlib
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from pyinfra.facts import files as file_facts
from pyinfra.facts.apt import AptSources

from boxwright import facts
from boxwright.facts.models import StampedFile
from boxwright.operation import Package, apt, dnf
from roles.driver.boot import BootKernels
from tests.unit.plans import machine, tiny

if TYPE_CHECKING:
    from tests.unit.role_host import RoleHost


def usual_answer(host: RoleHost, kind: type, path: str, given: dict[str, Any]) -> Any:
    """A fact's answer by what this host has: packages, files, directories; and a small model."""
    text = host.files.get(path)
    if kind is facts.Machine:
        return host.machine or machine("plain")
    if kind is facts.Models:
        return _tiny_on_disk(given["directory"])
    if kind is facts.Releases:
        return facts.ReleasesState()
    if kind in (apt.Packages, dnf.Rpms):
        return tuple(one for one in host.packages.values() if _matches(one, given["patterns"]))
    if kind in (apt.Missing, dnf.Unprovided):
        return tuple(name for name in given["names"] if name not in host.packages)
    if kind is BootKernels:
        return ()  # no other kernel than the running one
    if kind is AptSources:
        kept = [(name, text) for name, text in host.files.items() if "/sources.list.d/" in name]
        lines = ([f"##PYINFRA_FILE {name}", *text.splitlines()] for name, text in kept)
        return AptSources().process([line for file in lines for line in file])
    if kind is file_facts.File:
        mode = host.modes.get(path, 644)
        return (text is not None and {"mode": mode, "user": "root", "group": "root"}) or None
    if kind is file_facts.Directory:
        there = path in host.directories
        return {"mode": 755, "user": "root", "group": "root"} if there else None
    if kind is file_facts.Sha1File:
        return text and hashlib.sha1(text.encode()).hexdigest()
    if kind is file_facts.Sha256File:
        return text and hashlib.sha256(text.encode()).hexdigest()
    raise AssertionError(f"the test gives no answer to {kind.__name__}")


def _tiny_on_disk(directory: str) -> facts.ModelsState:
    size = tiny().file_bytes
    stamp = facts.ModelStamp(
        name="tiny", quant="Q8_0", repository="test/tiny", commit="a" * 40,
        files=(StampedFile("tiny.gguf", size, "b" * 64, 1),), shape=tiny().to_json(),
    )  # fmt: skip
    file = facts.PresentFile(f"{directory}/tiny/Q8_0/tiny.gguf", size, 1)
    return facts.ModelsState((stamp,), (file,), directory)


def _matches(package: Package, patterns: list[str]) -> bool:
    names = (package.name, package.full_name)
    return any(fnmatchcase(name, pattern) for name in names for pattern in patterns)
