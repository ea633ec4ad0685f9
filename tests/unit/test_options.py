"""inventories/group_data/all.py is the whole truth about options: all, with real defaults."""

from __future__ import annotations

import ast
import importlib
import runpy
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from boxwright.operation.options import Endpoints
from boxwright.plan.wanted import Wanted

ROOT = Path(__file__).resolve().parents[2]
ALL = ROOT / "inventories" / "group_data" / "all.py"
ROLES = sorted(path.parent.name for path in (ROOT / "roles").glob("*/defaults.py"))


def of_dataclass(kind: type[Any]) -> dict[str, Any]:
    return {item.name: getattr(kind(), item.name) for item in fields(kind)}


def in_code() -> dict[str, Any]:
    """Every option with the default that holds when an inventory says nothing."""
    options = {**of_dataclass(Wanted), **of_dataclass(Endpoints)}
    del options["server_api_key_set"]  # follows from server_api_key_file
    for role in ROLES:
        options |= importlib.import_module(f"roles.{role}.defaults").DEFAULTS
    return options


def in_group_data() -> dict[str, Any]:
    names = runpy.run_path(str(ALL))
    return {name: value for name, value in names.items() if not name.startswith("_")}


def alike(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def test_every_option_is_listed_and_nothing_else() -> None:
    assert set(in_group_data()) == set(in_code())


@pytest.mark.parametrize("name", sorted(in_code()))
def test_the_listed_default_is_the_real_one(name: str) -> None:
    assert alike(in_group_data()[name]) == alike(in_code()[name])


@pytest.mark.parametrize("role", ROLES)
def test_two_places_never_give_one_option_two_defaults(role: str) -> None:
    for name, value in importlib.import_module(f"roles.{role}.defaults").DEFAULTS.items():
        for other in (of_dataclass(Wanted), of_dataclass(Endpoints)):
            assert alike(other.get(name, value)) == alike(value), name


def test_every_option_has_a_comment_line_above_it() -> None:
    text = ALL.read_text(encoding="utf-8")
    lines = text.split("\n")
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            assert lines[node.lineno - 2].startswith("# "), lines[node.lineno - 1]


def test_the_readme_s_table_names_real_options_with_their_defaults() -> None:
    rows = [
        line.split("|")
        for line in (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| `") and line.count("|") == 4
    ]
    options = in_code()
    named = [(row[1].strip(" `"), row[3].strip(" `")) for row in rows]
    table = [(name, default) for name, default in named if name in options]
    assert len(table) >= 10
    for name, default in table:
        assert default == ("unset" if options[name] is None else str(options[name])), name
