"""What a bench asks the server, how long its prompts are, and its record (pure)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from boxwright.facts import BenchPoint

# Any text does; of a real language, so that a model's router spreads it over its experts.
PASSAGE = """\
A workstation that was bought for drawing bridges has years left in it when the drawing moves
elsewhere. Its two processors are no longer fast, but each of them speaks to four channels of
memory, and memory is what a large model asks for. Somebody carries the machine up the stairs, blows
the dust out of its fans, finds that one of the power cables is missing, orders it, waits for a
week, and then watches the first lights come on. The rest is patience: a system is installed, a
driver is looked for that still knows cards of that age, a file as large as a library comes down
the line overnight. In the morning a question is typed, and an answer appears, word by word, about
as fast as one reads aloud. Nothing of it left the room. A neighbour asks what it costs to run; the
meter by the wall says eight hundred watts while it thinks and a tenth of that while it waits, so
the answer depends on how much one asks. She has three such boxes in her cellar, she says, and had
meant to give them away.
"""


@dataclass(frozen=True)
class Answered:
    """Speeds of one answer, in tok/s, and how many tokens of its prompt were worked through."""

    prompt_tokens: int
    prefill_tok_s: float
    decode_tok_s: float


def lengths(wanted: Sequence[int], decode_tokens: int, context: int) -> tuple[int, ...]:
    """The prompts to ask, short ones first: those that fit the context with their answers."""
    return tuple(sorted({n for n in wanted if 0 < n <= context - decode_tokens}))


def prompt(passage: Sequence[int], length: int, turn: int) -> list[int]:
    """`length` tokens of the passage over and over; each turn begins elsewhere in it.

    So that no server can answer from what it kept of another turn.
    """
    start = turn * 17 % len(passage)
    return [passage[(start + number) % len(passage)] for number in range(length)]


def question(tokens: Sequence[int], decode_tokens: int) -> dict[str, object]:
    """The completion to ask for, in the words of /completion."""
    return {
        "prompt": list(tokens),
        "n_predict": decode_tokens,
        "temperature": 0,
        "ignore_eos": True,
        "cache_prompt": False,
    }


def answered(timings: Mapping[str, Any]) -> Answered:
    """What the server's `timings` say."""
    return Answered(
        int(timings.get("prompt_n") or 0),
        round(float(timings.get("prompt_per_second") or 0.0), 3),
        round(float(timings.get("predicted_per_second") or 0.0), 3),
    )


def point(length: int, answers: Sequence[Answered]) -> BenchPoint:
    """All answers to prompts of one length."""
    return BenchPoint(
        length,
        tuple(answer.prefill_tok_s for answer in answers),
        tuple(answer.decode_tok_s for answer in answers),
    )


def line(record: object) -> str:
    """One line of the record file; its own newline first, for a killed run may have cut one off."""
    return "\n" + json.dumps(record) + "\n"
