"""Environment variables of llama-server that would decide what a plan decides or counts on.

Most give way to the arguments that a plan always gives; those of arguments that it only sometimes
gives (`--cpu-moe`, `--moe-cache-mib`) would change the layout unseen, so all of them are refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from boxwright.plan.results import Refusal

# the variables that `--help` names (tests/fixtures/help), by the option to use instead
OPTION_OF: dict[str, str] = {
    variable: option
    for option, variables in {
        "model": ("LLAMA_ARG_MODEL", "LLAMA_ARG_MODEL_URL", "LLAMA_ARG_HF_REPO",
                  "LLAMA_ARG_HF_FILE", "LLAMA_ARG_DOCKER_REPO", "LLAMA_ARG_MODELS_DIR",
                  "LLAMA_ARG_MODELS_PRESET"),
        "server_alias": ("LLAMA_ARG_ALIAS",),
        "server_host": ("LLAMA_ARG_HOST",),
        "server_port": ("LLAMA_ARG_PORT",),
        "server_api_key_file": ("LLAMA_API_KEY", "LLAMA_ARG_API_KEY_FILE"),
        "server_context": ("LLAMA_ARG_CTX_SIZE",),
        "server_parallel": ("LLAMA_ARG_N_PARALLEL", "LLAMA_ARG_KV_UNIFIED",
                            "LLAMA_ARG_KV_UNIFIED_PER_SLOT"),
        "server_cache_type": ("LLAMA_ARG_CACHE_TYPE_K", "LLAMA_ARG_CACHE_TYPE_V",
                              "LLAMA_ARG_FLASH_ATTN"),
        "server_batch": ("LLAMA_ARG_BATCH",),
        "server_ubatch": ("LLAMA_ARG_UBATCH",),
        "server_threads": ("LLAMA_ARG_THREADS",),
        "server_numa": ("LLAMA_ARG_NUMA",),
        "server_load_mode": ("LLAMA_ARG_LOAD_MODE", "LLAMA_ARG_MLOCK", "LLAMA_ARG_MMAP",
                             "LLAMA_ARG_DIO", "LLAMA_ARG_REPACK"),
        "server_cache_ram_mib": ("LLAMA_ARG_CACHE_RAM",),
        "server_context_checkpoints": ("LLAMA_ARG_CTX_CHECKPOINTS",),
        "server_moe_cache_mib": ("LLAMA_ARG_MOE_CACHE_MIB",),
        "server_tensor_split": ("LLAMA_ARG_TENSOR_SPLIT",),
        "server_n_cpu_moe": ("LLAMA_ARG_N_CPU_MOE",),
        "ignore_gpus or gpu_count": ("LLAMA_ARG_DEVICE", "LLAMA_ARG_MAIN_GPU",
                                     "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER"),
        "server_placement": (
            "LLAMA_ARG_N_GPU_LAYERS", "LLAMA_ARG_CPU_MOE", "LLAMA_ARG_OVERRIDE_TENSOR",
            "LLAMA_ARG_FIT", "LLAMA_ARG_FIT_TARGET", "LLAMA_ARG_FIT_CTX", "LLAMA_ARG_SPLIT_MODE",
            "LLAMA_ARG_N_CPU_FFN", "LLAMA_ARG_KV_OFFLOAD",
        ),
    }.items()
    for variable in variables
}  # fmt: skip
# what they make it need is in no figure of the plan
UNCOUNTED = frozenset(
    {
        "LLAMA_ARG_RPC", "LLAMA_ARG_SPEC_DRAFT_HF_REPO", "LLAMA_ARG_SPEC_DRAFT_MODEL",
        "LLAMA_ARG_SPEC_TYPE", "LLAMA_ARG_MMPROJ", "LLAMA_ARG_MMPROJ_URL", "LLAMA_ARG_SWA_FULL",
        "LLAMA_ARG_NO_HOST", "LLAMA_ARG_HF_REPO_V",
    }
)  # fmt: skip
# with them the server answers elsewhere than at http://HOST:PORT/, where runs ask it
UNASKABLE = frozenset({"LLAMA_ARG_API_PREFIX", "LLAMA_ARG_SSL_KEY_FILE", "LLAMA_ARG_SSL_CERT_FILE"})


def contradiction(environment: Mapping[str, str]) -> Refusal | None:
    """A refusal where `server_environment` decides what an option decides, or where the server
    could not be asked."""
    for variable in environment:
        if variable in UNASKABLE:
            return Refusal(
                f"server_environment holds {variable}: a run asks the server at http://HOST:PORT/",
                f"take {variable} out of server_environment, and put a proxy before the server",
            )
        if variable in OPTION_OF:
            return Refusal(
                f"server_environment holds {variable}, which the plan decides itself",
                f"use the option {OPTION_OF[variable]} in its place",
            )
    return None


def uncounted(environment: Mapping[str, str]) -> tuple[str, ...]:
    """A sentence for each variable that takes memory of which the plan knows nothing."""
    return tuple(
        f"server_environment holds {variable}: the plan does not count the memory it needs."
        for variable in environment
        if variable in UNCOUNTED
    )
