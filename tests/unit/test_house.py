"""The house rules that can be read from the source: deploy files, operation calls, docstrings."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest
from pyinfra.api.arguments import all_global_arguments

ROOT = Path(__file__).resolve().parents[2]
DEPLOYS = sorted((ROOT / "deploy").glob("*.py"))
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir() and path.name[0] != "_")
PRODUCT = sorted(
    path for top in ("boxwright", "roles", "deploy") for path in (ROOT / top).rglob("*.py")
)
SOURCES = sorted({*PRODUCT, *(ROOT / "tests").rglob("*.py"), *(ROOT / "inventories").rglob("*.py")})


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def decorator_names(function: ast.FunctionDef) -> set[str]:
    calls = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return {d.id if isinstance(d, ast.Name) else getattr(d, "attr", "") for d in calls}


def functions_with(path: Path, decorator: str) -> list[ast.FunctionDef]:
    return [
        node
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef) and decorator in decorator_names(node)
    ]


def operation_names(role: Path) -> set[str]:
    return {node.name for path in role.glob("*.py") for node in functions_with(path, "operation")}


@pytest.mark.parametrize("path", DEPLOYS, ids=relative)
def test_a_deploy_file_is_a_table_of_contents(path: Path) -> None:
    """A docstring, imports of roles, then one role call per line without arguments: no logic."""
    first, *rest = parsed(path).body
    assert isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    calls = [node for node in rest if not isinstance(node, ast.ImportFrom)]
    assert calls
    for node in calls:
        assert isinstance(node, ast.Expr) and isinstance(node.value, ast.Call), ast.dump(node)
        assert isinstance(node.value.func, ast.Attribute)
        assert not node.value.args and not node.value.keywords
    assert len({node.lineno for node in calls}) == len(calls)


@pytest.mark.parametrize("path", DEPLOYS, ids=relative)
def test_every_deploy_begins_with_preflight(path: Path) -> None:
    calls = [node.value for node in parsed(path).body[1:] if isinstance(node, ast.Expr)]
    assert isinstance(calls[0], ast.Call)
    assert ast.unparse(calls[0].func) == "preflight.check"


@pytest.mark.parametrize("role", ROLES, ids=relative)
def test_every_operation_call_of_a_role_has_a_name(role: Path) -> None:
    """Without a name pyinfra prints the arguments, secrets included (pitfall 14)."""
    known = operation_names(role)
    assert known or role.name == "preflight"
    calls = [
        node
        for function in functions_with(role / "deploy.py", "deploy")
        for node in ast.walk(function)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute)
    ]
    ours = [
        n for n in calls if (getattr(n.func, "id", None) or getattr(n.func, "attr", "")) in known
    ]
    assert ours, "a role's deploy calls its operations"
    for node in ours:
        assert "name" in {keyword.arg for keyword in node.keywords}, ast.unparse(node)


@pytest.mark.parametrize("role", ROLES, ids=relative)
def test_a_role_has_the_four_files(role: Path) -> None:
    for name in ("__init__.py", "deploy.py", "operations.py", "defaults.py"):
        assert (role / name).is_file()


@pytest.mark.parametrize("role", ROLES, ids=relative)
def test_no_parameter_of_an_operation_shadows_a_global_argument_of_pyinfra(role: Path) -> None:
    taken = {argument for argument, _ in all_global_arguments()} | {"name"}
    for path in role.glob("*.py"):
        for node in functions_with(path, "operation"):
            names = {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}
            assert not names & taken, f"{relative(path)}: {node.name}"


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_says_in_its_first_line_what_it_holds(path: Path) -> None:
    said = ast.get_docstring(parsed(path))
    assert said and said.split("\n")[0].rstrip().endswith((".", ":"))


@pytest.mark.parametrize("path", PRODUCT, ids=relative)
def test_product_code_knows_no_lab(path: Path) -> None:
    """What differs in the lab is data of its inventory, never a branch."""
    names = {n.id for n in ast.walk(parsed(path)) if isinstance(n, ast.Name)}
    names |= {n.attr for n in ast.walk(parsed(path)) if isinstance(n, ast.Attribute)}
    text = path.read_text(encoding="utf-8").lower()
    assert not {name for name in names if "lab" in name.lower().split("_")}
    for word in ("boxwright_lab", "llvmpipe", "10.77.", "tests.lab"):
        assert word not in text


def test_public_functions_of_the_product_have_docstrings() -> None:
    silent = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path in PRODUCT
        for node in parsed(path).body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not ast.get_docstring(node)
    ]
    assert silent == []
