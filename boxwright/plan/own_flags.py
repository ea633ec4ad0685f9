"""Flags of llama-server that a plan decides, with the option that each of them has."""

from __future__ import annotations

from collections.abc import Sequence

from boxwright.plan.results import Refusal

# flags in all their spellings (tests/fixtures/help), by the option to use instead
OPTION_OF: dict[str, str] = {
    flag: option
    for option, flags in {
        "model": ("-m", "--model"),
        "server_alias": ("-a", "--alias"),
        "server_host": ("--host",),
        "server_port": ("--port",),
        "server_api_key_file": ("--api-key", "--api-key-file"),
        "server_context": ("-c", "--ctx-size"),
        "server_parallel": ("-np", "--parallel"),
        "server_cache_type": ("-ctk", "--cache-type-k", "-ctv", "--cache-type-v"),
        "server_batch": ("-b", "--batch-size"),
        "server_ubatch": ("-ub", "--ubatch-size"),
        "server_threads": ("-t", "--threads", "-tb", "--threads-batch"),
        "server_numa": ("--numa",),
        "server_load_mode": ("-lm", "--load-mode", "--mlock", "--mmap", "--no-mmap"),
        "server_cache_ram_mib": ("-cram", "--cache-ram"),
        "server_moe_cache_mib": ("--moe-cache-mib",),
        "server_tensor_split": ("-ts", "--tensor-split"),
        "server_n_cpu_moe": ("-ncmoe", "--n-cpu-moe"),
        "server_placement": (
            "-ngl", "--gpu-layers", "--n-gpu-layers", "-cmoe", "--cpu-moe", "-ot",
            "--override-tensor", "-fit", "--fit", "-sm", "--split-mode",
        ),
    }.items()
    for flag in flags
}  # fmt: skip


def contradiction(extra_args: Sequence[str]) -> Refusal | None:
    """A refusal where `server_extra_args` decide what an option decides: memory would be wrong."""
    for word in extra_args:
        flag = word.split("=")[0]
        if flag in OPTION_OF:
            return Refusal(
                f"server_extra_args holds {flag}, which the plan decides itself",
                f"use the option {OPTION_OF[flag]} in its place",
            )
    return None
