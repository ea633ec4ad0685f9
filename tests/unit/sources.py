"""The project's own modules as trees; each is parsed once for all rules."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = sorted(
    path for top in ("boxwright", "roles", "deploy") for path in (ROOT / top).rglob("*.py")
)


@cache
def parsed(path: Path) -> ast.Module:
    """A module's tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def nodes(path: Path) -> list[ast.AST]:
    """All nodes of it, at any depth."""
    return list(ast.walk(parsed(path)))
