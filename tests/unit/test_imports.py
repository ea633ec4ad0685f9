"""The one-way rule: which of our packages may import which, read from the source itself."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.sources import PRODUCT, ROOT, nodes

# part of the house: the parts it may import, its own left out (design, section 1)
ALLOWED: dict[str, set[str]] = {
    "boxwright.catalog": set(),
    "boxwright.machine": set(),
    "boxwright.shapes": set(),
    "boxwright.plan": {"boxwright.catalog", "boxwright.machine", "boxwright.shapes"},
    "boxwright.facts": {"boxwright.machine"},
    "boxwright.gguf": {"boxwright.shapes"},
    # results of planning are what supply fills in (files, shapes), so the types are shared
    "boxwright.supply": {
        "boxwright.catalog",
        "boxwright.shapes",
        "boxwright.gguf",
        "boxwright.plan.results",
        "boxwright.plan.known",
    },
    "boxwright.operation": {
        "boxwright.facts",
        "boxwright.machine",
        "boxwright.plan",
        "boxwright.catalog",
        "boxwright.supply",
    },
    "boxwright.cli": {"boxwright"},
    "roles": {"boxwright.facts", "boxwright.plan.results", "boxwright.operation"},
    "deploy": {"roles"},
}


def modules() -> Iterator[tuple[str, Path]]:
    for path in PRODUCT:
        parts = path.relative_to(ROOT).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" else parts), path


def ours(name: str) -> bool:
    return name.split(".")[0] in ("boxwright", "roles", "deploy", "tests", "inventories")


def imports_of(path: Path) -> Iterator[tuple[int, str]]:
    """Every dotted name of ours that a module imports, at any depth of its code."""
    for node in nodes(path):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if ours(alias.name):
                    yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: imports here are absolute"
            if ours(node.module or ""):
                for alias in node.names:
                    yield node.lineno, f"{node.module}.{alias.name}"


def part_of(module: str) -> str | None:
    """The part a module belongs to; a role is a part of its own."""
    if module.startswith("roles."):
        return ".".join(module.split(".")[:2])
    return next((part for part in ALLOWED if within(module, part)), None)


def within(name: str, part: str) -> bool:
    return name == part or name.startswith(part + ".")


def wrong_imports(module: str, imported: Iterator[tuple[int, str]]) -> list[str]:
    part = part_of(module)
    if part is None:
        return []
    allowed = {part, *ALLOWED["roles" if part.startswith("roles.") else part]}
    if part == "boxwright.cli":
        allowed = {"boxwright"}
    return [
        f"{module}:{line} imports {name}"
        for line, name in imported
        if not any(within(name, one) for one in allowed)
    ]


def test_a_module_imports_only_what_lies_before_it() -> None:
    wrong = [
        sentence
        for module, path in modules()
        for sentence in wrong_imports(module, imports_of(path))
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("boxwright.plan.driver", "from boxwright.facts import Machine"),
        ("boxwright.plan.memory", "import boxwright.supply.hub"),
        ("boxwright.catalog", "from boxwright import machine"),
        ("boxwright.facts.service", "def f():\n    from boxwright.plan import make"),
        ("roles.server.operations", "from roles.driver import deploy"),
        ("roles.server.operations", "from boxwright.supply import hub"),
        ("roles.server.operations", "from boxwright import plan"),
        ("boxwright.cli.apply", "from roles.server import deploy"),
        ("deploy.all", "from boxwright.operation import option"),
        ("boxwright.supply.hub", "from boxwright.plan.memory import device_memory"),
    ],
)
def test_the_rule_sees_a_wrong_import(module: str, source: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    assert wrong_imports(module, imports_of(file))


def test_every_module_of_the_mind_belongs_to_a_part_with_a_rule() -> None:
    without = [name for name, _ in modules() if part_of(name) is None]
    assert without in ([], ["boxwright"])


def pure_modules() -> list[Path]:
    return sorted((ROOT / "boxwright" / "plan").rglob("*.py"))


FORBIDDEN_IN_PLAN = {
    "os", "pathlib", "subprocess", "time", "datetime", "random", "socket", "httpx", "pyinfra",
    "requests", "urllib", "logging", "shutil", "tempfile", "io",
}  # fmt: skip


def test_planning_is_pure() -> None:
    """No file, clock, network or pyinfra: nothing that makes a plan differ between two runs."""
    assert len(pure_modules()) > 20
    assert [found for path in pure_modules() for found in impure(path)] == []


def impure(path: Path) -> Iterator[str]:
    for node in nodes(path):
        used: set[str] = set()
        if isinstance(node, ast.Import):
            used = {alias.name.split(".")[0] for alias in node.names} & FORBIDDEN_IN_PLAN
        elif isinstance(node, ast.ImportFrom):
            if not all(alias.name.startswith("Pure") for alias in node.names):  # PurePosixPath
                used = {(node.module or "").split(".")[0]} & FORBIDDEN_IN_PLAN
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            used = {node.func.id} & {"open", "print", "input"}
        yield from (f"{path}: {name}" for name in used)


@pytest.mark.parametrize(
    "source", ["import os.path", "from time import time", "from pathlib import Path", "open('x')"]
)
def test_the_rule_sees_what_is_not_pure(source: str, tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    assert list(impure(file))
