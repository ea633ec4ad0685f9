"""What a bench found, as JSON and as a table: measured, predicted, and measured before."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from time import localtime, strftime
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from boxwright.cli.outcome import DONE, FAILED
from boxwright.cli.run import HostRun, RunOutcome
from boxwright.machine import Machine
from boxwright.plan.results import Speed

if TYPE_CHECKING:  # facts import pyinfra, which takes longer than all else here
    from boxwright.facts import BenchPoint, BenchRecord

SCHEMA = "boxwright.bench/1"
Interval = tuple[float, float, float]
SLOWER = 0.95  # of what was measured before: more than runs differ by


@dataclass(frozen=True)
class Benched:
    """One host: what this run measured, what is predicted, and the last earlier result.

    `before` is of the same model and quant, whatever release and driver it had.
    """

    record: BenchRecord | None
    predicted: Speed | None
    before: BenchRecord | None
    read_gb_s: float | None

    @classmethod
    def of(
        cls,
        records: Sequence[BenchRecord],
        machine: Machine,
        began_epoch_s: int,
        predicted: Speed | None,
    ) -> Benched:
        """Of a host's records, oldest first, and a run that began then."""
        new = [record for record in records if record.at_epoch_s >= began_epoch_s]
        old = [record for record in records if record.at_epoch_s < began_epoch_s]
        record = new[-1] if new else None
        alike = [
            one for one in old if record and (one.model, one.quant) == (record.model, record.quant)
        ]
        measured = machine.memory.measured
        read_gb_s = measured.read_gb_s if measured else None
        return cls(record, predicted, alike[-1] if alike else None, read_gb_s)

    def before_at(self, point: BenchPoint) -> BenchPoint | None:
        """The earlier result with prompts of the same length."""
        points = self.before.points if self.before else ()
        return next((one for one in points if one.prompt_tokens == point.prompt_tokens), None)


@dataclass(frozen=True)
class BenchOutcome:
    """The account of the run, and what each of its hosts keeps; None of a host that was silent."""

    run: RunOutcome
    hosts: Mapping[str, Benched | None]

    @property
    def exit_code(self) -> int:
        """The run's own; 1 also where a host that ran kept no result."""
        if self.run.exit_code != DONE:
            return self.run.exit_code
        kept = (one is not None and one.record is not None for one in self.hosts.values())
        return DONE if all(kept) else FAILED

    def document(self) -> dict[str, Any]:
        """Measured and predicted speeds by host, in tok/s, as JSON types."""
        hosts = {name: _document(run, self.hosts.get(name)) for name, run in self.run.hosts.items()}
        return {"schema": SCHEMA, "inventory": self.run.inventory, "hosts": hosts}

    def picture(self) -> RenderableType:
        """A row for each length of prompt: measured, predicted, measured before."""
        table = Table("host", "model", "prompt", *_columns("prefill"), *_columns("decode"))
        for name, found in self.hosts.items():
            if found is None or found.record is None:
                table.add_row(name, Text(self.run.hosts[name].state, style="red"))
                continue
            for row in _rows(name, found, found.record):
                table.add_row(*row)
        return Group(table, *self._remarks())

    def _remarks(self) -> Iterator[Text]:
        for name, found in self.hosts.items():
            reason = self.run.hosts[name].reason
            if reason:
                yield Text(f"{name}: {reason}")
            if found is not None and found.read_gb_s is not None:
                yield Text(f"{name}: host RAM was read at {found.read_gb_s:g} GB/s by all cores")
            if found is not None and found.before is not None:
                old = found.before
                when = strftime("%Y-%m-%d", localtime(old.at_epoch_s))
                with_driver = f" and driver {old.driver}" if old.driver else ""
                same = found.record is None or old.args_digest == found.record.args_digest
                otherwise = "" if same else ", and the server was set up otherwise"
                yield Text(
                    f"{name}: before is of {when}, with {old.release}{with_driver}{otherwise}"
                )


def _columns(phase: str) -> tuple[str, str, str]:
    return (f"{phase} tok/s", "expected", "before")


def _rows(name: str, found: Benched, record: BenchRecord) -> Iterator[tuple[str | Text, ...]]:
    """A line for each prompt; predicted are decode after a short one and prefill of a long one."""
    for number, point in enumerate(record.points):
        first, last = number == 0, number == len(record.points) - 1
        before, predicted = found.before_at(point), found.predicted
        yield (
            name if first else "",
            f"{record.model} {record.quant}" if first else "",
            f"{point.prompt_tokens} tokens",
            _interval(point.prefill),
            _expected(predicted.prefill_tok_s if predicted else None, point.prefill, last),
            _change(point.prefill, before.prefill if before else None),
            _interval(point.decode),
            _expected(predicted.decode_tok_s if predicted else None, point.decode, first),
            _change(point.decode, before.decode if before else None),
        )


def _expected(predicted: Interval | None, measured: Interval, comparable: bool) -> Text:
    if not comparable:
        return Text("")
    if predicted is None:
        return Text("not known")
    inside = predicted[0] <= measured[1] <= predicted[2]
    return Text(_interval(predicted), style="green" if inside else "yellow")


def _change(measured: Interval, before: Interval | None) -> Text:
    if before is None:
        return Text("")
    ratio = measured[1] / before[1]
    return Text(f"{before[1]:.1f} ({ratio - 1:+.0%})", style="yellow" if ratio < SLOWER else "")


def _interval(values: Interval) -> str:
    low, middle, high = values
    return f"{middle:.1f} ({low:.1f} to {high:.1f})"


def _document(run: HostRun, found: Benched | None) -> dict[str, Any]:
    record = found.record if found else None
    document: dict[str, Any] = {
        "state": "measured" if record and run.state == "changed" else run.state,
        "reason": run.reason,
    }
    if found is None or record is None:
        return document
    speed, before = found.predicted, found.before
    return document | {
        **_kept(record),
        "memory_read_gb_s": found.read_gb_s,
        "predicted": None
        if speed is None
        else {
            "decode_tok_s": list(speed.decode_tok_s),
            "prefill_tok_s": list(speed.prefill_tok_s),
            "bound_by": speed.bound_by,
        },
        "before": None if before is None else _kept(before),
    }


def _kept(record: BenchRecord) -> dict[str, Any]:
    return {
        "release": record.release,
        "driver": record.driver,
        "model": record.model,
        "quant": record.quant,
        "at_epoch_s": record.at_epoch_s,
        "points": [
            {
                "prompt_tokens": point.prompt_tokens,
                "prefill_tok_s": list(point.prefill),
                "decode_tok_s": list(point.decode),
            }
            for point in record.points
        ],
    }
