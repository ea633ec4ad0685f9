"""The machine report of a host, by `probe.sh`."""

from __future__ import annotations

import json

from pyinfra.api import FactBase, FactProcessError

from boxwright import machine
from boxwright.facts.shell import script

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
        return script("probe.sh", SYSROOT="", BOXWRIGHT_RUNTIME=runtime, BOXWRIGHT_UNIT=unit)

    def process(self, output: list[str]) -> machine.Machine:
        """Read the report; raises FactProcessError, which fails this host alone."""
        text = "\n".join(output)
        start = text.find('{"schema": "boxwright.machine/')
        try:
            return machine.machine_from_json(json.loads(text[max(start, 0) :]))
        except ValueError as error:
            raise FactProcessError(f"the probe printed no machine report: {error}") from error
