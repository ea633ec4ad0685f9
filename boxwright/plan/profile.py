"""What a profile means: how weights are loaded and where the pages of a many-node host lie.

Decode is fastest where each thread reads weights of its own node: mapped files, first touched by
the threads that compute, with a cold page cache. Prefill is fastest from pinned memory spread over
all nodes. Neither holds for a host with one node, where locked memory costs nothing
(reference/llama-cpp.md, 6 and 9: #27986, PR #18166, PR #28223).
"""

from __future__ import annotations

from dataclasses import dataclass

from boxwright.plan.results import Refusal

PROFILES = ("balanced", "decode", "prefill")


@dataclass(frozen=True)
class Profile:
    """`load_mode` in llama-server's words, `numa_policy` in systemd's (None: the system's own).

    With `drop_caches` the page cache is emptied before the server starts.
    """

    load_mode: str = "mlock"
    numa_policy: str | None = None
    drop_caches: bool = False


def decide(name: str, nodes: int, cards: int) -> Profile | Refusal:
    """The profile of that name on a host with so many nodes with memory, and cards in use."""
    if name not in PROFILES:
        return Refusal(
            f"server_profile is {name!r}, needs one of {', '.join(PROFILES)}",
            "correct server_profile, or leave it unset",
        )
    if nodes < 2 or name == "balanced":
        # with cards, what is not mapped lies in their drivers' pinned memory
        return Profile("none" if name == "prefill" and cards else "mlock")
    if name == "decode":
        return Profile("mmap", drop_caches=True)
    return Profile("none" if cards else "mlock", numa_policy="interleave")
