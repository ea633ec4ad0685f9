"""One measured completion: what is asked, how the answer is read, and its record (pure)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from boxwright.operation import decode_tok_s

PROMPT = "Say in a few words what a workstation is good for."


@dataclass(frozen=True)
class Identity:
    """What a measurement belongs to; with all of it equal there is nothing to measure again."""

    release: str
    model: str
    quant: str
    config_digest: str
    boot_id: str


def recorded(records: Iterable[Any], identity: Identity) -> bool:
    """Whether a record (a mapping or an object with the same names) has this identity."""
    wanted = asdict(identity)
    return any(all(_field(r, k) == v for k, v in wanted.items()) for r in records)


def _field(record: Any, name: str) -> Any:
    return record.get(name) if isinstance(record, Mapping) else getattr(record, name, None)


def question(model: str, tokens: int) -> dict[str, object]:
    """The completion to ask for, in the words of /v1/chat/completions."""
    return {
        "model": model,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": tokens,
        "temperature": 0,
        "ignore_eos": True,
        "cache_prompt": False,
    }


def record_of(
    identity: Identity, digests: tuple[str, str], timings: Mapping[str, Any], epoch_s: int
) -> str:
    """One line of the record file; `digests` are of the server's settings and the hardware."""
    row = {
        **asdict(identity),
        "args_digest": digests[0],
        "hardware": digests[1],
        "decode_tok_s": decode_tok_s(timings),
        "prefill_tok_s": round(float(timings.get("prompt_per_second") or 0.0), 3),
        "predicted_n": int(timings["predicted_n"]),
        "at_epoch_s": epoch_s,
    }
    return json.dumps(row) + "\n"
