"""Flags of llama-server that a plan decides or counts on, so that nobody contradicts it unseen."""

from __future__ import annotations

import re
from collections.abc import Sequence

from boxwright.catalog import Catalog
from boxwright.plan.results import Refusal

FLAG = re.compile(r"^--?[A-Za-z]")
MOE_CACHE = "--moe-cache-mib"
# flags in all their spellings (tests/fixtures/help), by the option to use instead
OPTION_OF: dict[str, str] = {
    flag: option
    for option, flags in {
        "model": ("-m", "--model", "-mu", "--model-url", "-hf", "-hfr", "--hf-repo", "-hff",
                  "--hf-file", "--models-dir", "--models-preset"),
        "server_alias": ("-a", "--alias"),
        "server_host": ("--host",),
        "server_port": ("--port",),
        "server_api_key_file": ("--api-key", "--api-key-file"),
        "server_context": ("-c", "--ctx-size"),
        "server_parallel": ("-np", "--parallel", "-kvu", "--kv-unified", "-no-kvu",
                            "--no-kv-unified", "--kv-unified-per-slot"),
        "server_cache_type": ("-ctk", "--cache-type-k", "-ctv", "--cache-type-v", "-fa",
                              "--flash-attn"),
        "server_batch": ("-b", "--batch-size"),
        "server_ubatch": ("-ub", "--ubatch-size"),
        "server_threads": ("-t", "--threads", "-tb", "--threads-batch"),
        "server_numa": ("--numa",),
        "server_load_mode": ("-lm", "--load-mode", "--mlock", "--mmap", "--no-mmap", "-dio",
                             "--direct-io", "--no-direct-io"),
        "server_cache_ram_mib": ("-cram", "--cache-ram"),
        "server_context_checkpoints": ("-ctxcp", "--ctx-checkpoints", "--swa-checkpoints"),
        "server_moe_cache_mib": (MOE_CACHE,),
        "server_tensor_split": ("-ts", "--tensor-split"),
        "server_n_cpu_moe": ("-ncmoe", "--n-cpu-moe"),
        "ignore_gpus or gpu_count": ("-dev", "--device", "-mg", "--main-gpu"),
        "server_placement": (
            "-ngl", "--gpu-layers", "--n-gpu-layers", "-cmoe", "--cpu-moe", "-ot",
            "--override-tensor", "-fit", "--fit", "-fitt", "--fit-target", "-fitc", "--fit-ctx",
            "-sm", "--split-mode", "-ncffn", "--n-cpu-ffn", "-nkvo", "--no-kv-offload",
        ),
    }.items()
    for flag in flags
}  # fmt: skip
# what they need is in no figure of the plan
UNCOUNTED = frozenset(
    {
        "--rpc", "-md", "--model-draft", "-hfd", "--hf-repo-draft", "-mm", "--mmproj", "-mmu",
        "--mmproj-url", "--lora", "--control-vector", "--swa-full", "-nopo",
        "--no-op-offload", "--no-host", "--spec-type",
    }
)  # fmt: skip


def contradiction(extra_args: Sequence[str]) -> Refusal | None:
    """A refusal where `server_extra_args` decide what an option decides: memory would be wrong."""
    for flag in named(extra_args):
        if flag in OPTION_OF:
            return Refusal(
                f"server_extra_args holds {flag}, which the plan decides itself",
                f"use the option {OPTION_OF[flag]} in its place",
            )
    return None


def uncounted(extra_args: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each argument that takes memory of which the plan knows nothing."""
    return tuple(
        f"server_extra_args holds {flag}: the plan does not count the memory it needs."
        for flag in named(extra_args)
        if flag in UNCOUNTED
    )


def named(args: Sequence[str]) -> list[str]:
    """The flags among arguments, without values."""
    return [word.split("=")[0] for word in args if word.startswith("-")]


def without(lacking: Sequence[str], extra_args: Sequence[str]) -> str:
    """What makes do without flags that a build lacks; those that every plan gives need another."""
    added = [flag for flag in lacking if flag in named(extra_args)]
    others = set(lacking) - set(added)
    cures = [f"take {', '.join(added)} out of server_extra_args"] if added else []
    if others == {MOE_CACHE}:
        cures.append("leave server_moe_cache_mib unset")
    elif others:
        return "choose another runtime_build"
    return f"{' and '.join(cures)}, or choose another runtime_build"


def lacking(
    args: tuple[str, ...], flags: frozenset[str] | None, catalog: Catalog, build: str
) -> list[str]:
    """Flags that this build does not take: by its own `--help` if known, else by the catalog."""
    given = [arg.split("=")[0] for arg in args if FLAG.match(arg)]
    if flags is None:
        return [flag for flag in given if not catalog.has_flag(build, flag)]
    return [flag for flag in given if flag not in flags]
