"""Writes trees of small files as /sys and /proc have them, and renders the kernel's CPU lists."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path


def write_tree(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write each file under `root`; text gets the newline that a /sys attribute ends with.

    A value that starts with `-> ` makes a symbolic link to the rest.
    """
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif content.startswith("-> "):
            path.symlink_to(content[3:])
        else:
            path.write_text(content + "\n")


def copy_readable(source: Path, target: Path) -> None:
    """Copy what can be read of a /sys directory by value, following no links.

    Sizes in /sys say nothing and some attributes refuse to be read, so plain copying fails there.
    """
    target.mkdir(parents=True, exist_ok=True)
    for entry in sorted(source.iterdir()):
        if entry.is_symlink():
            continue
        if entry.is_dir():
            copy_readable(entry, target / entry.name)
            continue
        try:
            (target / entry.name).write_bytes(entry.read_bytes())
        except OSError:
            continue


def cpu_list(cpus: Iterable[int]) -> str:
    """A CPU list as the kernel prints it: `0-1,4`."""
    runs: list[tuple[int, int]] = []
    for cpu in sorted(cpus):
        if runs and runs[-1][1] == cpu - 1:
            runs[-1] = (runs[-1][0], cpu)
        else:
            runs.append((cpu, cpu))
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def cpu_mask(cpus: Iterable[int]) -> str:
    """The same set as the kernel's hexadecimal mask (up to 32 CPUs)."""
    return f"{sum(1 << cpu for cpu in cpus):x}"


def fresh(directory: Path) -> Path:
    """Remove the directory, make it anew, return it."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    return directory
