"""The options of `boxwright plan` that stand for options of the inventory, and how they map."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from boxwright.cli.outcome import MISUSED, Sentence

# command-line parameter: the option of inventories/group_data/all.py that it overrides
OPTION_OF = {
    "model": "model",
    "quant": "model_quant",
    "ctx": "server_context",
    "cache_type": "server_cache_type",
    "ubatch": "server_ubatch",
    "gpus": "gpu_count",
    "n_cpu_moe": "server_n_cpu_moe",
    "parallel": "server_parallel",
}


def filled(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    """A text option's value; an empty one is a shell variable that was not set, and fails."""
    if value is not None and not value.strip():
        raise click.BadParameter("it is empty; leave the option out, or give it a value.")
    return value


def wish_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The click options that override an inventory's, in the order of `--help`."""
    positive, from_zero = click.IntRange(min=1), click.IntRange(min=0)
    for option in reversed(
        (
            click.option(
                "--model", callback=filled, metavar="NAME", help="A model of the catalog, or auto."
            ),
            click.option(
                "--quant",
                callback=filled,
                metavar="QUANT",
                help="Its quant; default the catalog's.",
            ),
            click.option(
                "--ctx", type=from_zero, help="Context in tokens; default 32768, 0: what fits."
            ),
            click.option(
                "--cache-type",
                callback=filled,
                metavar="T",
                help="Type of the KV cache; default q8_0.",
            ),
            click.option(
                "--ubatch", type=from_zero, help="Physical batch; default 512, 0: what fits."
            ),
            click.option("--gpus", type=positive, help="Use only the first N cards."),
            click.option("--cpu-moe", is_flag=True, help="Keep all experts in host RAM."),
            click.option("--n-cpu-moe", type=from_zero, help="... of the first N layers."),
            click.option(
                "--tensor-split",
                callback=filled,
                metavar="A,B",
                help="Shares of the cards, as 1,1.",
            ),
            click.option("--parallel", type=positive, help="Users served at once; default 1."),
        )
    ):
        command = option(command)
    return command


def overrides_from(given: dict[str, Any]) -> dict[str, Any]:
    """Inventory options from command-line parameters; what was not given is left out.

    Raises Sentence (exit 2) for values that cannot be read.
    """
    overrides = {
        option: given[parameter]
        for parameter, option in OPTION_OF.items()
        if given.get(parameter) is not None
    }
    if given.get("cpu_moe"):
        overrides["server_placement"] = "cpu-moe"
    if given.get("tensor_split"):
        overrides["server_tensor_split"] = _shares(given["tensor_split"])
    return overrides


def _shares(text: str) -> tuple[float, ...]:
    try:
        shares = tuple(float(part) for part in text.split(","))
    except ValueError:
        shares = ()
    if not shares or any(share < 0 for share in shares) or not any(shares):
        raise Sentence(
            f"--tensor-split is {text!r}; it needs one number per card, as 1,1 or 3,2.", MISUSED
        )
    return shares
