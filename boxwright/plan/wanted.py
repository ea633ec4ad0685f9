"""What a user asks for one host: every option a plan depends on, with its default.

The names are the option names of `inventories/group_data/all.py`; that file comments each.
Options that only say how to act (URLs, time limits) live in the roles' `defaults.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from pathlib import PurePosixPath
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints


class WantedError(ValueError):
    """An option has a value that cannot be meant; the message names it, and what is allowed."""


DIRECTORIES = {"runtime_directory", "models_directory"}


WORDS: dict[Any, str] = {
    bool: "True or False",
    int: "a whole number",
    float: "a number",
    str: "text",
    NoneType: "None",
    Any: "anything",
}


@dataclass(frozen=True)
class Wanted:
    """One host's wishes; `None` means "decide for me"."""

    # cards
    ignore_gpus: tuple[str, ...] = ()
    gpu_count: int | None = None
    gpu_vram_mib: dict[str, int] = field(default_factory=dict)
    gpu_compute_cap: dict[str, str] = field(default_factory=dict)

    # driver
    driver_branch: str | None = None
    driver_flavour: str | None = None
    driver_source: str | None = None
    driver_key_enrolled: bool = False

    # runtime
    runtime_build: str | None = None
    runtime_cuda: str | None = None
    runtime_asset_rows: tuple[dict[str, Any], ...] = ()
    runtime_directory: str = "/opt/llama.cpp"
    runtime_repository: str = "ggml-org/llama.cpp"
    runtime_compile: str = "auto"

    # tuning
    tuning_swappiness: int | None = 10
    tuning_numa_balancing: int | None = 0
    tuning_governor: str | None = "performance"

    # model
    model: str = "qwen3.5-122b-a10b"
    model_quant: str | None = None
    model_min_decode_tok_s: float = 5.0
    models_catalog: dict[str, Any] = field(default_factory=dict)
    models_directory: str = "/srv/models"

    # server
    server_profile: str = "balanced"
    server_host: str | None = None
    server_port: int = 8080
    server_alias: str | None = None
    server_context: int = 32768
    server_cache_type: str = "q8_0"
    server_batch: int = 2048
    server_ubatch: int = 512
    server_parallel: int = 1
    server_threads: int | None = None
    server_placement: str = "auto"
    server_n_cpu_moe: int | None = None
    server_tensor_split: tuple[float, ...] | None = None
    server_numa: str | None = None
    server_load_mode: str | None = None
    server_cache_ram_mib: int = 2048
    server_context_checkpoints: int | None = None
    server_moe_cache_mib: int | None = None
    server_environment: dict[str, str] = field(default_factory=dict)
    server_extra_args: tuple[str, ...] = ()
    server_api_key_set: bool = False


KINDS = get_type_hints(Wanted)


def wanted_from(data: dict[str, Any]) -> Wanted:
    """The wishes in a mapping of options; keys that are no option here are left alone.

    Lists become tuples, so that inventories may use either. Raises WantedError for a value whose
    type cannot be meant.
    """
    chosen: dict[str, Any] = {}
    defaults = Wanted()
    for item in fields(Wanted):
        if item.name not in data:
            continue
        value, kind = data[item.name], KINDS[item.name]
        if isinstance(value, list):
            value = tuple(value)
        if value is None and not _is(value, kind):
            value = getattr(defaults, item.name)
        if not _is(value, kind):
            raise WantedError(f"option {item.name} is {value!r}; it has to be {_said(kind)}")
        chosen[item.name] = value
    for name in DIRECTORIES & chosen.keys():
        chosen[name] = _absolute(name, chosen[name])
    return Wanted(**chosen)


def _absolute(name: str, path: str) -> str:
    """The path without what says nothing, such as a slash at its end."""
    plain = PurePosixPath(path)
    if not plain.is_absolute() or ".." in plain.parts or any(ord(one) < 0x20 for one in path):
        raise WantedError(f"option {name} is {path!r}; it has to be an absolute path without ..")
    return str(plain)


def _is(value: object, kind: Any) -> bool:
    """Whether a value is of a kind as annotations tell it, down to what lists and mappings hold."""
    parts = get_args(kind)
    if get_origin(kind) is UnionType:
        return any(_is(value, part) for part in parts)
    if get_origin(kind) is tuple:
        return isinstance(value, tuple) and all(_is(one, parts[0]) for one in value)
    if get_origin(kind) is dict:
        return isinstance(value, dict) and all(
            _is(key, parts[0]) and _is(one, parts[1]) for key, one in value.items()
        )
    if kind is Any or kind is bool or isinstance(value, bool):
        return kind is Any or (kind is bool and isinstance(value, bool))
    return isinstance(value, int | float if kind is float else kind)


def _said(kind: Any) -> str:
    """A kind in words."""
    parts = get_args(kind)
    if get_origin(kind) is UnionType:
        return " or ".join(_said(part) for part in parts)
    if get_origin(kind) is tuple:
        return f"a list, each of it {_said(parts[0])}"
    if get_origin(kind) is dict:
        return f"a mapping of {WORDS[parts[0]]} to {_said(parts[1])}"
    return WORDS[kind]
