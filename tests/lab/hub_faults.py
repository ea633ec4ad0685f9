"""Makes the lab's Hub misbehave for some models, for the length of a block."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.lab.conftest import RunningLab


@contextmanager
def hub_faults(lab: RunningLab, faults: Mapping[str, Mapping[str, Any]]) -> Iterator[None]:
    """Each model's repository gets its fault: the keys of tests.lab.world.repositories.Rules.

    The file comes whole and goes whole, for the Hub's servers read it at every request.
    """
    path = lab.lab.state / "hub-faults.json"
    rows = {lab.document["models"][model]["repository"]: fault for model, fault in faults.items()}
    part = path.with_suffix(".part")
    part.write_text(json.dumps(rows))
    part.rename(path)
    try:
        yield
    finally:
        path.unlink()
