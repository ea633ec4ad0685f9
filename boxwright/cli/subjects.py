"""What an argument of `boxwright explain` means: a PCI id, a card's name, or a machine report."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from boxwright.catalog import NVIDIA, Catalog
from boxwright.catalog.search import devices_named
from boxwright.cli.outcome import MISUSED, Sentence
from boxwright.cli.reports import read_machines
from boxwright.machine import Gpu

FULL_ID = re.compile(r"^(?:0x)?([0-9a-f]{4}):(?:0x)?([0-9a-f]{1,4})$")
HEXADECIMAL = re.compile(r"^0x([0-9a-f]{1,4})$")
FOUR_DIGITS = re.compile(r"^[0-9a-f]{4}$")
MOST_CARDS = 24  # more of one name are no answer, but a list to read


@dataclass(frozen=True)
class Subject:
    """One card to explain; `gpu.pci` is empty where no machine report named it."""

    gpu: Gpu
    host: str | None = None


def subjects_of(argument: str, catalog: Catalog) -> list[Subject]:
    """The cards an argument means; none for the report of a machine without any.

    Four bare digits that are in a card's name are that name ("3090"); `10de:3090` is the id.
    Raises Sentence (exit 2, from a report also 1) if it means nothing, or too much.
    """
    text = argument.strip().lower()
    if found := FULL_ID.match(text):
        return [_of_id(found[1], found[2])]
    if found := HEXADECIMAL.match(text):
        return [_of_id(NVIDIA, found[1])]
    if argument == "-" or _is_file(argument):
        machines = read_machines([Path(argument)]).values()
        return [Subject(gpu, one.hostname) for one in machines for gpu in one.gpus]
    named = devices_named(catalog, text)
    if not named and FOUR_DIGITS.match(text):
        return [_of_id(NVIDIA, text)]
    if not named:
        raise Sentence(
            f"{argument!r} is no PCI id (10de:1bb0), no name of a card (Quadro P5000), and no"
            " file of a machine report.",
            MISUSED,
        )
    if len(named) > MOST_CARDS:
        some = ", ".join(catalog.gpu(f"{NVIDIA}:{one:04x}").name for one in named[:5])
        raise Sentence(
            f"{argument!r} is in the names of {len(named)} cards ({some}, ...): say more.", MISUSED
        )
    return [_of_id(NVIDIA, f"{device:04x}") for device in named]


def _of_id(vendor: str, device: str) -> Subject:
    return Subject(Gpu("", f"{vendor}:{device.zfill(4)}"))


def _is_file(argument: str) -> bool:
    try:
        return Path(argument).is_file()
    except (OSError, ValueError):  # too long to be a path, or with a NUL in it
        return False
