"""Facts' real commands and small programs, run by this machine's sh."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def answered(kind: Any, directory: Path | None = None, stdin: str = "", **arguments: Any) -> Any:
    """A fact's real command run by this machine's sh, its output read by the fact.

    Programs in `directory` are found before the machine's own.
    """
    command = kind().command(**arguments)
    text = command if isinstance(command, str) else command.get_raw_value()
    path = f"{directory}:/usr/sbin:/usr/bin:/sbin:/bin" if directory else "/usr/sbin:/usr/bin:/bin"
    done = subprocess.run(
        ["sh", "-c", text], env={"PATH": path}, input=stdin,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"the fact would fail its host: {done.stderr}"
    lines = done.stdout.splitlines()
    return kind().process(lines) if lines else kind.default()


def write_program(path: Path, text: str) -> None:
    """A program in shell at `path`, whose directory is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@contextmanager
def programs(directory: Path, **scripts: str) -> Iterator[Path]:
    """A directory of small shell programs by name."""
    for name, body in scripts.items():
        write_program(directory / name.replace("_", "-"), body)
    yield directory
