"""The house rules that can be read from the source: deploy files, operation calls, docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from pyinfra.api.arguments import all_global_arguments

from tests.unit.sources import PRODUCT, ROOT, nodes, parsed

DEPLOYS = sorted((ROOT / "deploy").glob("*.py"))
ROLES = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir() and path.name[0] != "_")
SOURCES = sorted({*PRODUCT, *(ROOT / "tests").rglob("*.py"), *(ROOT / "inventories").rglob("*.py")})


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def decorator_names(function: ast.FunctionDef) -> set[str]:
    calls = (d.func if isinstance(d, ast.Call) else d for d in function.decorator_list)
    return {d.id if isinstance(d, ast.Name) else getattr(d, "attr", "") for d in calls}


def functions_with(path: Path, decorator: str) -> list[ast.FunctionDef]:
    return [
        node
        for node in nodes(path)
        if isinstance(node, ast.FunctionDef) and decorator in decorator_names(node)
    ]


def operation_names(role: Path) -> set[str]:
    return {node.name for path in role.glob("*.py") for node in functions_with(path, "operation")}


def test_a_deploy_file_is_a_table_of_contents() -> None:
    """A docstring, imports of roles, then one role call per line without arguments: no logic."""
    assert DEPLOYS
    assert [relative(path) for path in DEPLOYS if not is_table_of_contents(path)] == []


def is_table_of_contents(path: Path) -> bool:
    first, *rest = parsed(path).body
    calls = [node for node in rest if not isinstance(node, ast.ImportFrom)]
    said = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    lines = {node.lineno for node in calls}
    return bool(said and calls and len(lines) == len(calls) and all(map(is_plain_call, calls)))


def is_plain_call(node: ast.stmt) -> bool:
    if not (isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)):
        return False
    call = node.value
    return isinstance(call.func, ast.Attribute) and not call.args and not call.keywords


def test_every_deploy_begins_with_preflight() -> None:
    begins = {
        relative(path): [
            ast.unparse(node.value.func)
            for node in parsed(path).body[1:]
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        ][:1]
        for path in DEPLOYS
    }
    wrong = {path for path, first in begins.items() if first != ["preflight.check"]}
    assert wrong == set()


def test_every_operation_call_of_a_role_has_a_name() -> None:
    """Without a name pyinfra prints the arguments, secrets included (pitfall 14)."""
    nameless = []
    for role in ROLES:
        known = operation_names(role)
        assert known or role.name == "preflight"
        ours = [node for node in calls_of_deploy(role) if name_called(node) in known]
        assert ours, f"the deploy of {role.name} calls its operations"
        nameless += [
            f"{role.name}: {ast.unparse(node)}"
            for node in ours
            if "name" not in {keyword.arg for keyword in node.keywords}
        ]
    assert nameless == []


def calls_of_deploy(role: Path) -> list[ast.Call]:
    return [
        node
        for function in functions_with(role / "deploy.py", "deploy")
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
    ]


def name_called(node: ast.Call) -> str | None:
    return getattr(node.func, "id", None) or getattr(node.func, "attr", None)


def test_a_role_has_the_four_files() -> None:
    files = ("__init__.py", "deploy.py", "operations.py", "defaults.py")
    missing = [
        f"{relative(role)}/{name}"
        for role in ROLES
        for name in files
        if not (role / name).is_file()
    ]
    assert ROLES and missing == []


def test_no_parameter_of_an_operation_shadows_a_global_argument_of_pyinfra() -> None:
    taken = {argument for argument, _ in all_global_arguments()} | {"name"}
    shadowing = [
        f"{relative(path)}: {node.name}"
        for role in ROLES
        for path in role.glob("*.py")
        for node in functions_with(path, "operation")
        if taken & {a.arg for a in (*node.args.args, *node.args.kwonlyargs)}
    ]
    assert shadowing == []


def test_a_module_says_in_its_first_line_what_it_holds() -> None:
    silent = []
    for path in SOURCES:
        with path.open(encoding="utf-8") as file:
            first = file.readline().strip()
        if not (first.startswith('"""') and first.rstrip('"').endswith((".", ":"))):
            silent.append(relative(path))
    assert silent == []


def test_product_code_knows_no_lab() -> None:
    """What differs in the lab is data of its inventory, never a branch."""
    words = ("boxwright_lab", "llvmpipe", "10.77.", "tests.lab")
    knowing = []
    for path in PRODUCT:
        names = {n.id for n in nodes(path) if isinstance(n, ast.Name)}
        names |= {n.attr for n in nodes(path) if isinstance(n, ast.Attribute)}
        knowing += [f"{relative(path)}: {n}" for n in names if "lab" in n.lower().split("_")]
        text = path.read_text(encoding="utf-8").lower()
        knowing += [f"{relative(path)}: {word}" for word in words if word in text]
    assert knowing == []


def test_public_functions_of_the_product_have_docstrings() -> None:
    """Those of public classes too, but for the attributes that a protocol only names."""
    silent = [
        f"{relative(path)}:{node.lineno} {node.name}"
        for path in PRODUCT
        for node in public(parsed(path).body)
        if not ast.get_docstring(node) and not is_only_named(node)
    ]
    assert silent == []


def public(body: list[ast.stmt]) -> Iterator[ast.FunctionDef | ast.ClassDef]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body)


def is_only_named(node: ast.FunctionDef | ast.ClassDef) -> bool:
    return isinstance(node, ast.FunctionDef) and list(map(ast.unparse, node.body)) == ["..."]
