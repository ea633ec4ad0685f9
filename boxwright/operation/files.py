"""Files of ours on a host: rendered from the template that lies at the destination's own path."""

from __future__ import annotations

import hashlib
from typing import Any

from pyinfra.api.util import get_template
from pyinfra.context import host
from pyinfra.facts.files import File, Sha256File
from pyinfra.operations import files

from boxwright.operation.step import Commands
from boxwright.operation.write import write_whole

TEMPLATES = "templates"  # in the checkout, from where pyinfra is run


def rendered(dest: str, mode: str = "644", *, template: str | None = None, **data: Any) -> Commands:
    """Bring `dest` to what `templates/<dest>.j2` says with these data, owned by root.

    `template` names the path of a file that is written alike.
    """
    yield from files.template._inner(
        src=f"{TEMPLATES}{template or dest}.j2", dest=dest, user="root", group="root", mode=mode,
        jinja_env_kwargs=WHITESPACE, **data,
    )  # fmt: skip


def rendered_text(dest: str, **data: Any) -> str:
    """What `templates/<dest>.j2` says with these data."""
    return str(get_template(f"{TEMPLATES}{dest}.j2", WHITESPACE).render(data))


def written_private(dest: str, text: str, mode: str) -> Commands:
    """Bring `text` to a file that may hold a secret: it is in no diff, log or argument list."""
    known = host.get_fact(File, path=dest)
    same = known and known["mode"] == int(mode) and known["user"] == "root"
    if same and host.get_fact(Sha256File, path=dest) == hashlib.sha256(text.encode()).hexdigest():
        return
    yield write_whole(dest, text, mode=f"0{mode}")


def absent(dest: str) -> Commands:
    """Remove a file of ours that is no longer wanted."""
    yield from files.file._inner(path=dest, present=False)


WHITESPACE: dict[str, Any] = {"trim_blocks": True, "lstrip_blocks": True}
