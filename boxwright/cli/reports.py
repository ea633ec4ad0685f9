"""Reading machine reports from files: one report, a list, or what `boxwright facts --json` says."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from boxwright.cli.outcome import FAILED, Sentence
from boxwright.machine import Machine, MachineError, machine_from_json


def read_machines(files: Iterable[Path]) -> dict[str, Machine]:
    """All machines of the files, by hostname; a second equal hostname gets a suffix `-2`.

    Raises Sentence (exit 1) that names the file and what is wrong with it.
    """
    machines: dict[str, Machine] = {}
    for file in files:
        for document in _documents(file):
            try:
                machine = machine_from_json(document)
            except MachineError as error:
                raise Sentence(f"{file} is {error}.", FAILED) from error
            machines[_free_name(machine.hostname, machines)] = machine
    return machines


def _documents(file: Path) -> list[Any]:
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text(encoding="utf-8")
        document = json.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        raise Sentence(f"{file} cannot be read: {error}.", FAILED) from error
    except (ValueError, RecursionError) as error:
        raise Sentence(f"{file} is no JSON: {error}.", FAILED) from error
    if isinstance(document, dict) and isinstance(document.get("hosts"), dict):
        return list(document["hosts"].values())
    return document if isinstance(document, list) else [document]


def _free_name(hostname: str, taken: dict[str, Machine]) -> str:
    name, number = hostname, 1
    while name in taken:
        number += 1
        name = f"{hostname}-{number}"
    return name
