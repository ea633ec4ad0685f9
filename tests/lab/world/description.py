"""What an inventory of the lab has to know of its world, as data the product takes."""

from __future__ import annotations

import json
from typing import Any

from tests.lab.settings import Lab
from tests.lab.world import models, releases
from tests.lab.world.build import RELEASE_REPOSITORY, World


def describe(lab: Lab, world: World) -> dict[str, Any]:
    """The `nvidia`, `builds` and `models` entries of lab.json."""
    return {
        "nvidia": {
            "repository_url": f"{lab.archive_url}/nvidia",
            "keys": {
                release: world.keys[f"nvidia-{release}"].fingerprint
                for release in ("debian12", "debian13")
            },
        },
        "release_repository": RELEASE_REPOSITORY,
        "builds": [_build(build) for build in releases.BUILDS],
        "models": {model.name: _model(world, model) for model in models.MODELS},
    }


def _build(build: str) -> dict[str, Any]:
    rows = [row for row in releases.asset_rows() if row["build"] == build]
    return {"build": build, "asset_rows": rows}


def _model(world: World, model: models.HubModel) -> dict[str, Any]:
    manifest = json.loads((world.hub / model.repository / models.MANIFEST).read_text())
    known = {file["path"]: file for file in manifest["files"]}
    return {
        "repository": model.repository,
        "revision": "main",
        "commit": manifest["commit"],
        "default_quant": model.quant,
        "quants": {model.quant: {"files": list(model.files)}},
        "architecture": model.architecture,
        "parameters": model.parameters,
        "active_parameters": model.active_parameters,
        "sha256": {name: known[name]["sha256"] for name in model.files},
        "size": {name: known[name]["size"] for name in model.files},
    }
