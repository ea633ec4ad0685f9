"""What a bench asks the server, how long its prompts are, and its record (pure)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from boxwright.facts import BenchPoint, is_speed
from boxwright.operation import decode_tok_s

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


WORDS_PER_TOKEN = 1.5  # more than any tokenizer needs words for its tokens
LEAST_DECODE_TOKENS = 8


@dataclass(frozen=True)
class Wishes:
    """The options of a bench; see roles/bench/defaults.py."""

    prompt_tokens: tuple[int, ...]
    decode_tokens: int
    repeat: int
    timeout_s: int


@dataclass(frozen=True)
class Answered:
    """Speeds of one answer, in tok/s, and how many tokens were worked through and answered."""

    prompt_tokens: int
    decode_tokens: int
    prefill_tok_s: float
    decode_tok_s: float


def wishes_of(prompt_tokens: Any, decode_tokens: Any, repeat: Any, timeout_s: Any) -> Wishes | str:
    """The options, or which of them cannot be meant."""
    lengths = prompt_tokens if isinstance(prompt_tokens, (list, tuple)) else (prompt_tokens,)
    least = {
        "bench_prompt_tokens": (lengths, 1),
        "bench_decode_tokens": ((decode_tokens,), LEAST_DECODE_TOKENS),
        "bench_repeat": ((repeat,), 1),
        "bench_timeout_s": ((timeout_s,), 1),
    }
    for name, (values, needed) in least.items():
        if not values or not all(type(value) is int and value >= needed for value in values):
            given = values[0] if len(values) == 1 else tuple(values)
            return f"{name} is {given!r}, needs whole numbers from {needed}"
    return Wishes(tuple(lengths), decode_tokens, repeat, timeout_s)


def lengths(wanted: Sequence[int], decode_tokens: int, context: int) -> tuple[int, ...]:
    """The prompts to ask, short ones first: those that fit the context with their answers."""
    return tuple(sorted({n for n in wanted if 0 < n <= context - decode_tokens}))


def text(length: int, turn: int) -> str:
    """Words for a prompt of `length` tokens, in another order for each length and turn.

    So nothing can be answered from what a server kept of another prompt, and nothing in it is said
    twice: copying is what drafts and caches of experts are best at.
    """
    words = PASSAGE.split()
    chance = Random(f"{length} {turn}")
    return " ".join(chance.choice(words) for _ in range(int(length * WORDS_PER_TOKEN) + 8))


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
    """What the server's `timings` say; a speed that they do not tell is 0."""
    return Answered(
        int(timings.get("prompt_n") or 0),
        int(timings.get("predicted_n") or 0),
        round(float(timings.get("prompt_per_second") or 0.0), 3),
        decode_tok_s(timings),
    )


def fault(answer: Answered, prompt_tokens: int, decode_tokens: int) -> str | None:
    """Why an answer measures nothing: part of the prompt was cached, or it ended early."""
    if answer.prompt_tokens < prompt_tokens:
        done = f"worked through {answer.prompt_tokens} tokens of a prompt of {prompt_tokens}"
        return f"the server {done}"
    if answer.decode_tokens != decode_tokens:
        return f"the server answered with {answer.decode_tokens} of {decode_tokens} tokens"
    if not (is_speed(answer.prefill_tok_s) and is_speed(answer.decode_tok_s)):
        return "the server told no speed of its answer"
    return None


def point(length: int, answers: Sequence[Answered]) -> BenchPoint:
    """All answers to prompts of one length."""
    return BenchPoint(
        length,
        tuple(answer.prefill_tok_s for answer in answers),
        tuple(answer.decode_tok_s for answer in answers),
    )
