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
                  "--hf-file", "-dr", "--docker-repo", "--models-dir", "--models-preset"),
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
                             "--direct-io", "-ndio", "--no-direct-io", "--repack", "-nr",
                             "--no-repack"),
        "server_cache_ram_mib": ("-cram", "--cache-ram"),
        "server_context_checkpoints": ("-ctxcp", "--ctx-checkpoints", "--swa-checkpoints"),
        "server_moe_cache_mib": (MOE_CACHE,),
        "server_tensor_split": ("-ts", "--tensor-split"),
        "server_n_cpu_moe": ("-ncmoe", "--n-cpu-moe"),
        "ignore_gpus or gpu_count": ("-dev", "--device", "-mg", "--main-gpu"),
        "server_placement": (
            "-ngl", "--gpu-layers", "--n-gpu-layers", "-cmoe", "--cpu-moe", "-ot",
            "--override-tensor", "-fit", "--fit", "-fitt", "--fit-target", "-fitc", "--fit-ctx",
            "-sm", "--split-mode", "-ncffn", "--n-cpu-ffn", "-kvo",
            "--kv-offload", "-nkvo", "--no-kv-offload",
        ),
    }.items()
    for flag in flags
}  # fmt: skip
# each takes a model of its own in place of the one that is planned
PRESET = re.compile(r"--(embd|fim|gpt-oss|vision)-[a-z0-9.-]+-(default|spec)")
# what they need is in no figure of the plan
UNCOUNTED = frozenset(
    {
        "--rpc", "-md", "--model-draft", "--spec-draft-model", "-hfd", "-hfrd", "--hf-repo-draft",
        "--spec-draft-hf", "-mm", "--mmproj", "-mmu", "--mmproj-url", "--lora", "--lora-scaled",
        "--control-vector", "--control-vector-scaled", "--swa-full", "-nopo", "--op-offload",
        "--no-op-offload", "--no-host", "--spec-type", "--spec-default", "-mv", "--model-vocoder",
        "-hfv", "-hfrv", "--hf-repo-v",
    }
)  # fmt: skip
OVERRIDE_KV = "--override-kv"  # such as the number of experts that a token uses
# with them the server answers elsewhere than at http://HOST:PORT/, where runs ask it
UNASKABLE = frozenset({"--api-prefix", "--ssl-key-file", "--ssl-cert-file"})


def contradiction(extra_args: Sequence[str]) -> Refusal | None:
    """A refusal where `server_extra_args` decide what an option decides: memory would be wrong.

    Also where the server could not be asked, or would not take a word at all.
    """
    for word in filter(FLAG.match, extra_args):
        written, equals, value = word.partition("=")
        flag = spelled(written)
        option = "model" if PRESET.fullmatch(flag) else OPTION_OF.get(flag)
        if option is not None:
            return Refusal(
                f"server_extra_args holds {written}, which the plan decides itself",
                f"use the option {option} in its place",
            )
        if flag in UNASKABLE:
            return Refusal(
                f"server_extra_args holds {written}: a run asks the server at http://HOST:PORT/",
                f"take {written} out of server_extra_args, and put a proxy before the server",
            )
        if equals:
            return Refusal(
                f"server_extra_args holds {word}, and llama-server does not split at =",
                f"write two arguments: {written!r}, {value!r}",
            )
    return None


def uncounted(extra_args: Sequence[str]) -> tuple[str, ...]:
    """A sentence for each argument with which figures of the plan do not hold."""
    return tuple(
        f"server_extra_args holds {flag}: "
        + (
            "memory and speed are planned by the model's own header."
            if flag == OVERRIDE_KV
            else "the plan does not count the memory it needs."
        )
        for flag in named(extra_args)
        if flag in UNCOUNTED or flag == OVERRIDE_KV
    )


def named(args: Sequence[str]) -> list[str]:
    """The flags among arguments, without values, as `--help` spells them."""
    return [spelled(word) for word in args if FLAG.match(word)]


def spelled(flag: str) -> str:
    """As llama.cpp reads it: `_` is `-` in long ones (common/arg.cpp, `common_params_parse_ex`)."""
    return flag.replace("_", "-") if flag.startswith("--") else flag


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
    given = named(args)
    if flags is None:
        return [flag for flag in given if not catalog.has_flag(build, flag)]
    return [flag for flag in given if flag not in flags]
