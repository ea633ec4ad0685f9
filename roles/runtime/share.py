"""Which host compiles for whom: hosts whose plans name the same pack agree on one of them.

pyinfra takes all hosts through one operation before the next begins, so what each says in the first
of these operations is known to all in the second. If the host that was to compile fails, the next
one is chosen, and no other: what fails on two hosts that are alike would fail on all of them.
Where hosts do not wait for each other, a host compiles for itself.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

MOST_TRIES = 2  # hosts that may fail to compile the same before the others are told so
UNSAID = "its own messages tell why"


@dataclass
class Round:
    """What the hosts of this run have said, by pack: who lacks it (and how fast it compiles), who
    has it installed, who began to compile it (and why that failed, once it says so)."""

    lacking: dict[str, dict[str, int]] = field(default_factory=dict)
    having: dict[str, list[str]] = field(default_factory=dict)
    begun: dict[str, dict[str, str]] = field(default_factory=dict)

    def forget(self, name: str) -> None:
        """A host says anew what it lacks and has: what it said before no longer counts."""
        for hosts in self.lacking.values():
            hosts.pop(name, None)
        for names in self.having.values():
            if name in names:
                names.remove(name)

    def lacks(self, name: str, pack: str, jobs: int) -> None:
        """A host has no such release; it compiles so many files at once."""
        self.forget(name)
        self.lacking.setdefault(pack, {})[name] = jobs

    def has(self, name: str, pack: str) -> None:
        """A host has this release installed, so it can give it to others."""
        self.forget(name)
        self.having.setdefault(pack, []).append(name)

    def begins(self, name: str, pack: str) -> None:
        """A host begins to compile it."""
        self.begun.setdefault(pack, {})[name] = UNSAID

    def fails(self, name: str, pack: str, why: str) -> None:
        """A host could not compile it, for this reason."""
        self.begun.setdefault(pack, {})[name] = why

    def made(self, name: str, pack: str) -> bool:
        """Whether this host compiled it in this run."""
        return name in self.begun.get(pack, {}) and name in self.having.get(pack, ())

    def failed(self, pack: str, active: Collection[str]) -> dict[str, str]:
        """The hosts that began to compile it and no longer take part, each with the reason."""
        begun, well = self.begun.get(pack, {}), {*active, *self.having.get(pack, ())}
        return {name: why for name, why in begun.items() if name not in well}

    def hopeless(self, pack: str, active: Collection[str]) -> bool:
        """Whether so many hosts failed to compile it, and none has it, that no other is to try."""
        tried = len(self.failed(pack, active))
        return tried >= MOST_TRIES and self.giver(pack, active) is None

    def wanted(self, pack: str, active: Collection[str]) -> tuple[str, ...]:
        """The hosts, of those that still take part, that lack a pack."""
        return tuple(name for name in self.lacking.get(pack, {}) if name in active)

    def giver(self, pack: str, active: Collection[str]) -> str | None:
        """The host that packs what it has for the others; None where nobody has it."""
        return next((name for name in self.having.get(pack, ()) if name in active), None)

    def compiler(self, pack: str, active: Collection[str]) -> str | None:
        """The host that compiles for all: the fastest of those that lack it, if nobody has it."""
        wanted = self.wanted(pack, active)
        if not wanted or self.giver(pack, active) is not None or self.hopeless(pack, active):
            return None
        jobs = self.lacking[pack]
        return max(wanted, key=lambda name: jobs[name])  # of equal ones the first that asked
