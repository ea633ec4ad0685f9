"""The machine report of a host, by `probe.sh` and its parts in `probe.d`."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

from pyinfra.api import FactBase, FactProcessError

from boxwright import machine
from boxwright.facts.shell import script, source

_NOTHING = machine.Machine(
    hostname="",
    os=machine.Os(id="", version_id="", kernel="", arch=""),
    cpu=machine.Cpu(model="", sockets=0, cores=0, threads=0),
    memory=machine.Memory(total_mib=0, available_mib=0),
)


class Machine(FactBase[machine.Machine]):
    """What the machine is at this moment; GPUs have name and VRAM once their driver answers.

    `runtime` is the directory of llama.cpp releases, `unit` the service whose state is told.
    """

    @staticmethod
    def default() -> machine.Machine:
        """A machine of which nothing is known; no plan fits it."""
        return _NOTHING

    def command(self, runtime: str = "/opt/llama.cpp", unit: str = "llama-server.service") -> str:
        """The probe, reading this system and no recorded tree."""
        return script(
            *_parts(".sh"),
            "probe.sh",
            SYSROOT="",
            BOXWRIGHT_RUNTIME=runtime,
            BOXWRIGHT_UNIT=unit,
            BOXWRIGHT_PROGRAM="\n".join(map(source, ("probe.awk", *_parts(".awk")))),
        )

    def process(self, output: list[str]) -> machine.Machine:
        """Read the report; raises FactProcessError, which fails this host alone."""
        # no cause is chained: pyinfra would show that one instead of the sentence
        try:
            return machine.machine_from_json(_document("\n".join(output)))
        except machine.MachineError as error:
            raise FactProcessError(f"what the probe printed is {error}") from None


@cache
def _parts(suffix: str) -> tuple[str, ...]:
    """The names of the probe's parts in that language, as a shell would list them."""
    names = (part.name for part in (files("boxwright.facts") / "probe.d").iterdir())
    return tuple(sorted(f"probe.d/{name}" for name in names if name.endswith(suffix)))


def _document(text: str) -> Any:
    """The report between what a login shell says before and after it."""
    start = re.search(r'\{\s*"schema":\s*"boxwright\.machine/', text)
    if start is None:
        raise machine.MachineError(f"no machine report, it begins with {text.strip()[:80]!r}")
    try:
        document, _ = json.JSONDecoder().raw_decode(text, start.start())
    except (ValueError, RecursionError):
        raise machine.MachineError("a machine report that is damaged or cut short") from None
    return document
