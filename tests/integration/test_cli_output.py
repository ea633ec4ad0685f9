"""Where a picture goes: pipes of any width, and outputs that are not Unicode."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.integration.fleet import MACHINES, big_moe
from tests.unit.gguf_files import write

PLAN = [sys.executable, "-m", "boxwright.cli.main", "plan", "--facts", str(MACHINES / "xeon.json")]


def printed(*words: str, exit_code: int = 0, encoding: str = "utf-8", **environment: str) -> str:
    """What a pipe gets of a plan for the xeon."""
    given = {**os.environ, "PYTHONIOENCODING": encoding, **environment}
    done = subprocess.run([*PLAN, *words], env=given, capture_output=True)
    assert done.returncode == exit_code, done.stderr
    return done.stdout.decode(encoding)


def test_a_pipe_is_as_wide_as_it_is_told() -> None:
    for columns in (60, 100):
        text = printed("--model", "none", exit_code=3, COLUMNS=str(columns))
        assert {len(line) for line in text.splitlines()} == {columns}


def test_an_output_that_is_not_unicode_gets_plain_signs(tmp_path: Path) -> None:
    keys, tensors = big_moe()
    model = write(tmp_path / "big.gguf", "qwen3moe", keys, tensors, tokens=500)
    text = printed("--gguf", str(model), encoding="ascii")
    assert re.search(r"\[#+=.*\.+\]", text) and "# model" in text and "?" not in text
