"""Files of ours on a host: rendered from the template that lies at the destination's own path."""

from __future__ import annotations

from typing import Any

from pyinfra.operations import files

from boxwright.operation.step import Commands

TEMPLATES = "templates"  # in the checkout, from where pyinfra is run


def rendered(dest: str, mode: str = "644", **data: Any) -> Commands:
    """Bring `dest` to what `templates/<dest>.j2` says with these data, owned by root."""
    yield from files.template._inner(
        src=f"{TEMPLATES}{dest}.j2", dest=dest, user="root", group="root", mode=mode, **data
    )


def absent(dest: str) -> Commands:
    """Remove a file of ours that is no longer wanted."""
    yield from files.file._inner(path=dest, present=False)
