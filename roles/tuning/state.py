"""What the running kernel says of its settings, and what is planned for them."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass

from pyinfra.api import FactBase, QuoteString, StringCommand
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import FactProcessError

from boxwright.operation import Lines, plan_for_host, refuse
from boxwright.plan.results import TuningPlan

CPUFREQ = "/sys/devices/system/cpu/cpu[0-9]*/cpufreq"


@dataclass(frozen=True)
class GovernorState:
    """CPU frequency governors: those in use, those every CPU offers; both empty without cpufreq."""

    used: frozenset[str] = frozenset()
    offered: frozenset[str] = frozenset()

    def to_json(self) -> dict[str, object]:
        """Plain JSON types, for `pyinfra … fact`."""
        return {name: sorted(value) for name, value in asdict(self).items()}


class KernelSettings(FactBase[dict[str, str]]):
    """Live values of sysctl keys, words joined by one blank; keys this kernel lacks are absent."""

    @staticmethod
    def default() -> dict[str, str]:
        """None of the keys is there."""
        return {}

    def command(self, keys: Sequence[str]) -> StringCommand:
        """Read the files under /proc/sys."""
        names = (QuoteString(key.replace(".", "/")) for key in keys)
        return StringCommand(
            "for key in", *names, "; do ! test -r /proc/sys/$key ||",
            'printf "%s=%s\\n" "$key" "$(cat /proc/sys/$key)"; done',
        )  # fmt: skip

    def process(self, output: list[str]) -> dict[str, str]:
        """Read KEY=VALUE lines."""
        if any("=" not in line for line in output):
            raise FactProcessError(f"the kernel's settings read {output[0]!r}")
        pairs = (line.split("=", 1) for line in output)
        return {key.replace("/", "."): " ".join(value.split()) for key, value in pairs}


class Governors(FactBase[GovernorState]):
    """The CPU frequency governors of all CPUs."""

    @staticmethod
    def default() -> GovernorState:
        """This kernel sets no CPU frequency."""
        return GovernorState()

    def command(self) -> str:
        """One line per CPU: what it uses, then what it offers."""
        return (
            f"for dir in {CPUFREQ}; do ! test -r $dir/scaling_governor ||"
            " echo $(cat $dir/scaling_governor)"
            " : $(cat $dir/scaling_available_governors 2>/dev/null); done"
        )

    def process(self, output: list[str]) -> GovernorState:
        """Join the lines: what any CPU uses, what each one offers."""
        rows = [line.split(" : ", 1) if " : " in line else [line, ""] for line in output]
        offered = [frozenset(row[1].split()) for row in rows]
        return GovernorState(
            used=frozenset(row[0].removesuffix(" :").strip() for row in rows),
            offered=frozenset.intersection(*offered) if offered else frozenset(),
        )


class UnitState(Lines):
    """Properties of a systemd unit, as NAME=VALUE."""

    def command(self, unit: str) -> StringCommand:
        """Ask systemd."""
        names = "LoadState,ActiveState,UnitFileState,NeedDaemonReload"
        return StringCommand(f"systemctl show --property={names}", QuoteString(unit))


def there(planned: Mapping[str, str], live: Mapping[str, str]) -> dict[str, str]:
    """The planned settings that this kernel has, in order of their keys."""
    return {key: str(planned[key]) for key in sorted(planned) if key in live}


def differing(planned: Mapping[str, str], live: Mapping[str, str]) -> dict[str, str]:
    """The planned settings whose live value is another one."""
    return {
        key: value
        for key, value in there(planned, live).items()
        if live[key] != " ".join(value.split())
    }


def planned_tuning() -> Generator[PyinfraCommand, None, TuningPlan | None]:
    """The tuning's plan; None, refused, if this host cannot be served."""
    plan = plan_for_host()
    if plan.refusal is not None:
        yield from refuse(plan.refusal)
        return None
    return plan.tuning
