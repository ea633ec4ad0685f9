"""What the catalog knows of llama.cpp's releases and of models, as frozen dataclasses."""

from __future__ import annotations

from typing import Annotated

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from boxwright.catalog.types import STRICT, Version


@dataclass(frozen=True, config=STRICT)
class AssetRow:
    """One release asset and what it needs. `build` None: every build from `first_build` on.

    `asset` and `cudart` (the CUDA runtime beside it) may contain `{build}`. `archs` are as CMake
    writes them: `86-real` is SASS, `61-virtual` PTX; empty for a CPU build.
    """

    asset: str
    cuda: Version | None
    glibc: Version
    arch: str = "x86_64"
    archs: tuple[Annotated[str, Field(pattern=r"^\d+[af]?-(real|virtual)$")], ...] = ()
    cudart: str | None = None
    build: str | None = None
    first_build: int = 0
    source: str | None = None


@dataclass(frozen=True, config=STRICT)
class FlagChange:
    """From which build on (and, if gone again, up to which) llama-server takes a flag."""

    flag: str
    first_build: int
    last_build: int | None
    source: str


@dataclass(frozen=True, config=STRICT)
class LlamaCpp:
    """The pinned build, the assets of its releases, and flags that came and went."""

    pinned_build: Annotated[str, Field(pattern=r"^b\d+$")]
    assets: tuple[AssetRow, ...]
    flags: tuple[FlagChange, ...]


@dataclass(frozen=True, config=STRICT)
class ModelFileRow:
    """One file of a quant, by its path in the repository; what is not known is None."""

    name: str
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    size_bytes: Annotated[int, Field(ge=0)] | None = None


@dataclass(frozen=True, config=STRICT)
class QuantRow:
    """One quant; without files the Hub is asked which ones it has.

    `repository` and `revision` are set where this quant lies elsewhere than the model's others.
    """

    files: tuple[ModelFileRow, ...] = ()
    size_gb: float | None = None
    repository: str | None = None
    revision: str | None = None


Fork = Annotated[str, Field(pattern=r"^\w[\w.-]*/\w[\w.-]*@\w[\w./-]*$")]


@dataclass(frozen=True, config=STRICT)
class Geometry:
    """What a model's memory and speed are estimated from before the Hub has told its tensors.

    `expert_parameters` are all routed experts'; `kv_elements_k` and `_v` are per token and layer
    that attends. Every `full_attention_interval`th layer attends to everything; the others keep
    `recurrent_bytes` per sequence, or a window of `sliding_window` tokens; with a window and no
    interval all layers have it. `tied`: the output shares the token embeddings. `norms` and
    `biases` are a layer's, as `LayerShape` counts them.
    """

    layers: int
    hidden_size: int
    vocabulary: int
    kv_elements_k: int
    kv_elements_v: int
    experts: int = 0
    experts_used: int = 0
    expert_parameters: int = 0
    full_attention_interval: int = 1
    recurrent_bytes: int = 0
    sliding_window: int | None = None
    tied: bool = False
    norms: int = 2
    biases: int = 0


@dataclass(frozen=True, config=ConfigDict(extra="ignore"))
class ModelRow:
    """One model; `first_build` is the oldest llama.cpp build that loads it.

    `fork` is what it needs instead of upstream's llama.cpp: "OWNER/NAME@REF", compiled on the host
    from that tag or commit (a branch moves, and what was compiled of it does not follow).

    `quality` orders models for `model: auto`, the best highest; 0 is never chosen, nor is a model
    without `geometry` and `parameters`, nor a quant without `size_gb`.

    Unknown keys of users' rows are left alone: they may be of a newer version of this program.
    """

    repository: str
    default_quant: str
    quants: dict[str, QuantRow]
    revision: str = "main"
    architecture: str | None = None
    parameters: int | None = None
    active_parameters: int | None = None
    context_train: int | None = None
    first_build: int | None = None
    fork: Fork | None = None
    quality: int = 0
    geometry: Geometry | None = None
    licence: str | None = None
    sampling: dict[str, float] = Field(default_factory=dict)
    notes: tuple[str, ...] = ()
    source: str | None = None
