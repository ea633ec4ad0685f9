"""`lab.json`: everything an inventory needs to know of a lab that is up."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.lab import access
from tests.lab.hosts import HOSTS
from tests.lab.settings import Lab
from tests.lab.state import LabError


def path(lab: Lab) -> Path:
    """Where the document lies; it is there only after a whole `up`."""
    return lab.state / "lab.json"


def write(lab: Lab, world: Mapping[str, Any]) -> None:
    """Write the document; `world` gives the rows nvidia, builds and models."""
    content: dict[str, Any] = {
        "name": lab.name,
        "gateway": lab.gateway,
        "ssh": {
            "key": str(access.key(lab)),
            "known_hosts": str(access.known_hosts(lab)),
            "config": str(access.config(lab)),
        },
        "hosts": [
            {
                "host": spec.name,
                "address": spec.address(lab),
                "user": spec.user,
                "base_url": spec.base_url(lab),
            }
            for spec in HOSTS
        ],
        "apt_proxy_url": lab.apt_proxy_url,
        "archive_url": lab.archive_url,
        "hub_url": lab.hub_url,
        "release_url": lab.release_url,
        "api_key_file": str(access.api_key_file(lab)),
        **world,
    }
    part = path(lab).with_suffix(".part")
    part.write_text(json.dumps(content, indent=1) + "\n")
    part.rename(path(lab))


def read(lab: Lab) -> dict[str, Any]:
    """The document; raise LabError if the lab is not up."""
    require(lab)
    content: dict[str, Any] = json.loads(path(lab).read_text())
    return content


def require(lab: Lab) -> None:
    """Raise LabError unless the lab has been brought up."""
    if not path(lab).exists():
        raise LabError(f"lab {lab.name} is not up; run `scripts/lab up` first")
