"""What a graph is built of: a model's layers, and the batch that it computes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from boxwright.plan.graph.tensors import Kind


class MissingTensor(LookupError):
    """A model lacks a tensor that its graph was to be built with: it is of another kind."""


@dataclass(frozen=True)
class Dims:
    """Dimensions of tensors by name, row length first."""

    items: tuple[tuple[str, tuple[int, ...]], ...]
    by_name: dict[str, tuple[int, ...]] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", dict(self.items))


@dataclass(frozen=True)
class Block:
    """One layer: its tensors by name without the block's number, what it keeps, where it lies.

    `device`, `experts` and `cache_device` are backends by number, the host last; a layer that
    reads another one's cache (`keeps` false) reads it there. `window` is in tokens, None for full
    attention; `ropes` tells whether its attention is rotary, `used` how many experts a token has,
    `clamps` whether what routed experts and other feed-forward parts gate is clamped.
    Layers are alike whatever their `number` is.
    """

    dims: Dims
    device: int
    experts: int
    heads: int
    heads_kv: int
    head_k: int
    head_v: int
    window: int | None
    used: int
    ropes: bool
    cache_device: int
    keeps: bool = True
    clamps: tuple[bool, bool] = (False, False)
    number: int = field(default=0, compare=False)

    def has(self, name: str) -> bool:
        """Whether the layer has this tensor."""
        return name in self.dims.by_name

    def norm_named(self, *names: str) -> str:
        """The first of these norms that the layer has, with `.weight` or without; "" if none."""
        found = (one for one in names if self.has(f"{one}.weight") or self.has(one))
        return next(found, "")

    def placed(self, number: int, device: int, experts: int, cache_device: int) -> Block:
        """The same as layer of this number, elsewhere."""
        return replace(
            self, number=number, device=device, experts=experts, cache_device=cache_device
        )

    @property
    def cached_k(self) -> int:
        """Elements of K that a token takes."""
        return self.heads_kv * self.head_k

    @property
    def cached_v(self) -> int:
        """Elements of V that a token takes."""
        return self.heads_kv * self.head_v


@dataclass(frozen=True)
class Batch:
    """What is computed at once: `cells` are the cache's rows per stream, `window_cells` those of
    layers with a sliding window; `positions` are those that were used before (MiniMax-M3)."""

    tokens: int
    outputs: int
    sequences: int
    streams: int
    cells: int
    window_cells: int
    cache: Kind
    positions: int = 0

    @property
    def each(self) -> int:
        """Tokens of one sequence."""
        return self.tokens // self.sequences
