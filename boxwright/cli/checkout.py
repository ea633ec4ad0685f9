"""Where the checkout with roles/, deploy/ and templates/ lies: they are not part of the package."""

from __future__ import annotations

import os
from pathlib import Path

from boxwright.cli.outcome import MISUSED, Sentence

VARIABLE = "BOXWRIGHT_HOME"
MARKS = ("deploy/all.py", "roles", "templates", "inventories/group_data/all.py")


def is_checkout(directory: Path) -> bool:
    """Whether everything a deploy reads is there."""
    return all((directory / mark).exists() for mark in MARKS)


def find_checkout() -> Path:
    """The checkout: what BOXWRIGHT_HOME names, else the working directory or one above it.

    Raises Sentence (exit 2) that says how to get one.
    """
    named = os.environ.get(VARIABLE)
    if named:
        if is_checkout(Path(named)):
            return Path(named).resolve()
        raise Sentence(
            f"{VARIABLE} is {named}, which holds no Boxwright checkout ({', '.join(MARKS)})."
            " Set it to the directory you cloned Boxwright into.",
            MISUSED,
        )
    here = Path.cwd().resolve()
    for directory in (here, *here.parents):
        if is_checkout(directory):
            return directory
    raise Sentence(
        f"no Boxwright checkout in {here} or above it; deploys need its roles and templates."
        f" Clone the repository and run this inside it, or set {VARIABLE} to its directory.",
        MISUSED,
    )


def find_inventory(named: str, checkout: Path | None) -> str:
    """The inventory as pyinfra takes it: a file's absolute path, or `@connector` names as given.

    A file is looked for from the working directory, then from the checkout. Raises Sentence
    (exit 2) for anything else: pyinfra would take a misspelt file for a host's name and end with
    exit code 0 (reference/pyinfra.md, pitfall 7).
    """
    if named.startswith("@"):
        return named
    bases = dict.fromkeys([Path.cwd(), *([checkout] if checkout else [])])
    for base in bases:
        if (base / named).is_file():
            return str((base / named).resolve())
    looked = " or ".join(str(base) for base in bases)
    raise Sentence(
        f"there is no inventory {named} in {looked}."
        " Name an inventory file (inventories/lab.py is an example to copy) or a connector"
        " such as @local.",
        MISUSED,
    )
