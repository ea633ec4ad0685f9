"""`boxwright explain`: what a card is, needs and runs, and what to know before buying it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import click
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from boxwright.cli.outcome import DONE, MISUSED, Sentence, show
from boxwright.plan.explained import Explanation

FLAVOURS = {
    "proprietary": "proprietary modules only",
    "open": "open modules only",
    "either": "open or proprietary modules",
}


@dataclass(frozen=True)
class ExplainOutcome:
    """The cards in the order in which they were asked for."""

    cards: tuple[Explanation, ...]

    @property
    def exit_code(self) -> int:
        """0, for a card that is refused as well: the entry says so."""
        return DONE

    def document(self) -> list[Any]:
        """An entry for each card that was asked for, as JSON types."""
        return [asdict(card) for card in self.cards]

    def picture(self) -> RenderableType:
        """A panel for each card."""
        return Group(*(_panel(card) for card in self.cards))


def _panel(card: Explanation) -> RenderableType:
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="bold", no_wrap=True)
    rows.add_column()
    if card.chip:
        for label, value in _rows(card):
            rows.add_row(label, value)
    parts: list[RenderableType] = []
    if card.chip and card.refusal:
        parts.append(Text(f"REFUSED: {card.refusal.reason}.", style="bold red"))
        parts.append(Text(f"Cure: {card.refusal.cure}.\n", style="yellow"))
    if card.chip:
        parts.append(rows)
    parts += [Text(f"Warning: {warning}", style="yellow") for warning in card.warnings]
    where = f" in {card.host} at {card.pci}" if card.host else ""
    title = f"{card.name} ({card.id}){where}" if card.name else f"{card.id}{where}"
    return Panel(Group(*parts), title=Text(title), title_align="left", expand=True)


def _rows(card: Explanation) -> Iterator[tuple[str, Text]]:
    capability = card.compute_capability or "not known"
    yield "chip", Text(f"{card.chip} ({card.generation}), compute capability {capability}")
    yield "memory", Text(_memory(card))
    if card.bus:
        power = f", {card.tdp_w} W" if card.tdp_w else ""
        yield "board", Text(f"{card.bus}{power}")
    yield "driver", Text(_driver(card))
    if card.install.branch:
        one = card.install
        yield "on Ubuntu 24.04", Text(f"{one.branch} {one.flavour}, from {one.source}")
    yield "CUDA", Text(_cuda(card))
    if card.build:
        cuda = f"CUDA {card.build.cuda} line" if card.build.cuda else "CPU"
        yield "llama.cpp", Text(f"{card.build.build}, {cuda} ({card.build.kind}): {_code(card)}")
    for number, note in enumerate(card.notes):
        yield "" if number else "before buying", Text(f"- {note}")


def _memory(card: Explanation) -> str:
    size = f"{card.vram_mib} MiB" if card.vram_mib else "size not told by the id"
    return f"{size}, {card.bandwidth_gb_s:g} GB/s" if card.bandwidth_gb_s else size


def _driver(card: Explanation) -> str:
    made = card.driver
    if made.branch is None:
        return f"none; the last was branch {made.last_branch}"
    flavour = FLAVOURS[made.flavour or ""]
    age = f", maintained to {made.end_of_life}" if made.end_of_life else ""
    last = " (the last for it)" if made.last_branch == made.branch else ""
    return f"branch {made.branch}{last}, {flavour}{age}; it serves {', '.join(made.generations)}"


def _cuda(card: Explanation) -> str:
    if card.cuda.first is None:
        return "not known which toolkits compile for it"
    return f"toolkits from {card.cuda.first} to {card.cuda.last or 'the newest'} compile for it"


def _code(card: Explanation) -> str:
    assert card.build is not None
    late = "; the driver compiles PTX at the first start, which takes minutes"
    ptx = any(arch.endswith("virtual") for arch in card.build.architectures)
    return card.build.why + (late if ptx else "")


@click.command()
@click.argument("what", nargs=-1, required=True, metavar="ID|NAME|REPORT...")
@click.option("--json", "as_json", is_flag=True, help="Print a list of entries as JSON.")
def explain(what: tuple[str, ...], as_json: bool) -> None:
    """Tell what graphics cards are, by PCI id (10de:1bb0), name ("Quadro P5000", p5000) or from a
    machine report (a file of `boxwright facts --json`, - for standard input).

    What it is, which driver, CUDA and llama.cpp it takes, what to know before buying. A bare number
    that is in a card's name is that name: 3090 is the GeForce, 10de:3090 the id. Exit code 0, for a
    refused card too; 2 if no argument could be read.
    """
    from boxwright import catalog
    from boxwright.cli.subjects import subjects_of
    from boxwright.plan.explain import explain as explained

    known, cards, complaints = catalog.load(), list[Explanation](), list[str]()
    for argument in what:
        try:
            subjects = subjects_of(argument, known)
            cards += [explained(known, one.gpu, one.host) for one in subjects]
            if not subjects:
                click.echo(f"{argument}: no graphics card there.", err=True)
        except (Sentence, ValueError) as error:
            complaints.append(str(error))
    if len(complaints) == len(what):
        raise Sentence(" ".join(complaints), MISUSED)
    for complaint in complaints:
        click.echo(f"Error: {complaint}", err=True)
    show(ExplainOutcome(tuple(cards)), as_json)
