"""Fleets of pretended machines for the real pyinfra: `@fake` hosts answering with machine reports.

A Hub and a release server of the lab's kind listen on 127.0.0.1; the model they have is a sparse
file of 69 GB with a real header, so that what does not fit really does not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tests.integration.serving import running
from tests.lab.runs import Run
from tests.lab.world import github, hub, repositories, sources
from tests.unit.gguf_files import F32, Q4_K, Q8_0, Tensor
from tests.unit.gguf_files import write as write_gguf

ROOT = Path(__file__).resolve().parents[2]
MACHINES = ROOT / "tests" / "fixtures" / "machines"
REPOSITORY, MODEL, QUANT, FILE = "test/big-moe-GGUF", "big-moe", "Q4_K_M", "big-moe-Q4_K_M.gguf"
BUILD, LLAMA = "b11669", "ggml-org/llama.cpp"
LAYERS, EXPERTS = 48, 128
PREFLIGHT_ONLY = '''"""Only the checks, so that a host that passes them is left alone."""
from roles.preflight import deploy as preflight
preflight.check()
'''


@dataclass(frozen=True)
class Endpoints:
    """Where the fleet's downloads would come from, as inventory data, and the catalog rows."""

    hub_url: str
    release_url: str

    def data(self) -> dict[str, Any]:
        """What every host of a fleet has in common."""
        return {
            "models_hub_url": self.hub_url,
            "runtime_release_api_url": self.release_url,
            "models_catalog": {
                MODEL: {
                    "repository": REPOSITORY,
                    "revision": "main",
                    "default_quant": QUANT,
                    "quants": {QUANT: {"files": [{"name": FILE}]}},
                }
            },
            "model": MODEL,
            "server_placement": "auto",
            "fake_delay": 0,
            "fake_delay_jitter": 0,
        }


def big_moe() -> tuple[dict[str, Any], list[Tensor]]:
    """A mixture-of-experts model of 119 billion parameters, 69 GB at 4.5 bits each."""
    keys = {
        "block_count": LAYERS,
        "context_length": 262144,
        "embedding_length": 4096,
        "feed_forward_length": 1536,
        "expert_feed_forward_length": 1536,
        "expert_count": EXPERTS,
        "expert_used_count": 8,
        "attention.head_count": 32,
        "attention.head_count_kv": 4,
        "attention.key_length": 128,
        "attention.value_length": 128,
        "attention.layer_norm_rms_epsilon": 1e-6,
    }
    tensors: list[Tensor] = [
        ("token_embd.weight", (4096, 151936), Q8_0),
        ("output_norm.weight", (4096,), F32),
        ("output.weight", (4096, 151936), Q8_0),
    ]
    for layer in range(LAYERS):
        block = f"blk.{layer}"
        tensors += [
            (f"{block}.attn_q.weight", (4096, 4096), Q8_0),
            (f"{block}.attn_k.weight", (4096, 512), Q8_0),
            (f"{block}.attn_v.weight", (4096, 512), Q8_0),
            (f"{block}.attn_output.weight", (4096, 4096), Q8_0),
            (f"{block}.ffn_gate_inp.weight", (4096, EXPERTS), F32),
            (f"{block}.ffn_gate_exps.weight", (4096, 1536, EXPERTS), Q4_K),
            (f"{block}.ffn_up_exps.weight", (4096, 1536, EXPERTS), Q4_K),
            (f"{block}.ffn_down_exps.weight", (1536, 4096, EXPERTS), Q4_K),
        ]
    return keys, tensors


def _repository(root: Path) -> None:
    directory = root / REPOSITORY
    directory.mkdir(parents=True)
    keys, tensors = big_moe()
    path = write_gguf(directory / FILE, "qwen3moe", keys, tensors, tokens=2000)
    row = {"path": FILE, "size": path.stat().st_size, "oid": "1" * 40, "sha256": "2" * 64}
    (directory / repositories.MANIFEST).write_text(json.dumps({"commit": "3" * 40, "files": [row]}))


def _releases(root: Path) -> None:
    directory = root / LLAMA / BUILD
    directory.mkdir(parents=True)
    names = [f"llama-{BUILD}-bin-ubuntu-x64.tar.gz"]
    for cuda in ("12.8", "13.4"):
        names.append(f"llama-{BUILD}-bin-ubuntu-cuda-{cuda}-x64.tar.gz")
        names.append(f"cudart-llama-{BUILD}-bin-ubuntu-cuda-{cuda}-x64.tar.gz")
    assets = [{"name": name, "size": 200_000_000, "sha256": "4" * 64} for name in names]
    (directory / github.MANIFEST).write_text(json.dumps({"assets": assets}))


@contextmanager
def endpoints(directory: Path) -> Iterator[Endpoints]:
    """Both servers, on free ports of 127.0.0.1, until the end of the block.

    The release server says that it has the build's source too, which nobody here fetches.
    """
    _repository(directory / "hub")
    _releases(directory / "releases")
    local = ("127.0.0.1", 0)
    hubs = hub.servers(directory / "hub", local)
    releases = github.servers(directory / "releases", local)
    known = patch.dict(sources.SDISTS, {(LLAMA, BUILD): "nothing"})
    with known, running(*hubs) as hub_url, running(*releases) as release_url:
        yield Endpoints(hub_url, release_url)


def report(name: str, **changes: Any) -> dict[str, Any]:
    """The machine report of a box of the article, with some of its parts replaced.

    A dictionary is merged into the part of that name; anything else takes its place.
    """
    document: dict[str, Any] = json.loads((MACHINES / f"{name}.json").read_text())
    for part, value in changes.items():
        merge = isinstance(value, dict) and isinstance(document.get(part), dict)
        document[part] = {**document[part], **value} if merge else value
    return document


def run_fleet(directory: Path, deploy: str, hosts: Mapping[str, dict[str, Any]], *more: str) -> Run:
    """Run a deploy on `@fake` hosts with this data, through pyinfra's own command line."""
    inventory, written = directory / "fleet.py", [(f"@fake/{n}", d) for n, d in hosts.items()]
    inventory.write_text(f"fleet = {written!r}\n")
    only = directory / "preflight_only.py"
    only.write_text(PREFLIGHT_ONLY)
    file = str(only) if deploy == "preflight" else deploy
    direct = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")}
    done = subprocess.run(
        [sys.executable, "-m", "pyinfra", str(inventory), file, "-y", "--json", "-vv", *more],
        cwd=ROOT,
        env={**direct, "XDG_CACHE_HOME": str(directory / "cache"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=180,
    )
    answer = json.loads(done.stdout) if done.stdout.strip() else None
    return Run(done.returncode, answer, done.stderr)
