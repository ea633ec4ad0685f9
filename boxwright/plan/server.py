"""How llama-server is started: its arguments, spelled for the installed build, and environment."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from boxwright.catalog import Catalog
from boxwright.plan import checkpoints, own_flags, own_variables
from boxwright.plan.cards import Cards
from boxwright.plan.known import Known
from boxwright.plan.model import path_on_host
from boxwright.plan.results import (
    ModelPlan,
    Placement,
    Refusal,
    RuntimePlan,
    ServerPlan,
    TuningPlan,
)
from boxwright.plan.wanted import Wanted

API_KEY_FILE = "/etc/boxwright/api-key"
# Compiled PTX is kept between starts: without it every start takes minutes (llama-cpp.md 2.2).
CUDA_CACHE = {"CUDA_CACHE_PATH": "/var/cache/llama-server/nv", "CUDA_CACHE_MAXSIZE": "4294967296"}
LOOPBACK = ("127.0.0.1", "::1", "localhost")
# llama-server's modes, and what builds before `--load-mode` called them (llama-cpp.md 3.1)
LOAD_MODES: dict[str, tuple[str, ...] | None] = {
    "auto": (),
    "mmap": (),
    "none": ("--no-mmap",),
    "mlock": ("--no-mmap", "--mlock"),
    "mmap+mlock": ("--mlock",),
    "dio": None,
}


@dataclass(frozen=True)
class Decided:
    """What the other parts of the plan have decided, which the arguments spell out."""

    cards: Cards
    runtime: RuntimePlan
    model: ModelPlan
    placement: Placement
    tuning: TuningPlan


def decide(
    catalog: Catalog, wanted: Wanted, known: Known, decided: Decided
) -> ServerPlan | Refusal:
    """Arguments and environment; a refusal for wishes that contradict, or flags a build lacks."""
    wrong = contradiction(wanted)
    if wrong is not None:
        return wrong
    flags = known.flags_by_release.get(decided.runtime.release)
    loading = _load_mode(catalog, wanted, decided, flags)
    if isinstance(loading, Refusal):
        return loading
    host = wanted.server_host or ("0.0.0.0" if wanted.server_api_key_set else "127.0.0.1")
    alias = wanted.server_alias or wanted.model
    args = (
        *("--model", path_on_host(decided.model), "--alias", alias),
        *("--host", host, "--port", str(wanted.server_port)),
        *(("--api-key-file", API_KEY_FILE) if wanted.server_api_key_set else ()),
        *_placement(decided),
        *_sizes(wanted),
        *_threads(decided.tuning),
        *loading,
        *_repacking(decided, loading),
        *("--cache-ram", str(wanted.server_cache_ram_mib)),
        *checkpoints.arguments(known.shape, wanted, flags),
        *("--jinja", "--metrics"),
        *wanted.server_extra_args,
    )
    lacking = own_flags.lacking(args, flags, catalog, decided.runtime.build)
    if lacking:
        return Refusal(
            f"build {decided.runtime.build} of llama-server does not take {', '.join(lacking)}",
            own_flags.without(lacking, wanted.server_extra_args),
        )
    return ServerPlan(
        args,
        _environment(wanted, decided.cards),
        host,
        wanted.server_port,
        alias,
        decided.tuning.numa_policy,
        decided.tuning.drop_caches,
    )


def args_digest(server: ServerPlan) -> str:
    """What a measured speed belongs to, beside release, model and hardware, as one word.

    The arguments, and the environment that they are read in.
    """
    environment = (f"{name}={value}" for name, value in sorted(server.environment.items()))
    return hashlib.sha256("\0".join([*server.args, "", *environment]).encode()).hexdigest()


def contradiction(wanted: Wanted) -> Refusal | None:
    """A refusal for wishes that no build could serve."""
    host, key = wanted.server_host, wanted.server_api_key_set
    if host is not None and host not in LOOPBACK and not key:
        return Refusal(
            f"server_host is {host} and there is no API key: everyone on that network could use"
            " the server",
            "set server_api_key_file, or leave server_host unset to listen on 127.0.0.1 only",
        )
    return own_flags.contradiction(wanted.server_extra_args) or own_variables.contradiction(
        wanted.server_environment
    )


def _load_mode(
    catalog: Catalog, wanted: Wanted, decided: Decided, flags: frozenset[str] | None
) -> tuple[str, ...] | Refusal:
    runtime, mode = decided.runtime, wanted.server_load_mode or decided.tuning.load_mode
    if mode not in LOAD_MODES:
        return Refusal(
            f"server_load_mode is {mode!r}, needs one of {', '.join(LOAD_MODES)}",
            "correct server_load_mode, or leave it unset",
        )
    new = "--load-mode"
    if new in flags if flags is not None else catalog.has_flag(runtime.build, new):
        return (new, mode)
    old = LOAD_MODES[mode]
    if old is None:
        return Refusal(
            f"server_load_mode is {mode!r}, and build {runtime.build} has no --load-mode",
            "choose a newer runtime_build, or leave server_load_mode unset",
        )
    return old


def _repacking(decided: Decided, loading: tuple[str, ...]) -> tuple[str, ...]:
    """Without a card llama.cpp repacks weights into buffers that it does not lock in memory.

    Measured with b10068: of 235 MiB of weights the 12.7 MiB in CPU_REPACK were missing in VmLck.
    With a card the weights in host RAM lie in that card's pinned buffers, which are never repacked.
    """
    locks = any("mlock" in word for word in loading)
    return ("--no-repack",) if locks and not decided.cards.used else ()


def _placement(decided: Decided) -> tuple[str, ...]:
    """Nothing is left to llama-server's own fitting; without a card there is nothing to place."""
    placed = decided.placement
    args: list[str] = ["--fit", "off"]
    if not decided.cards.used:
        return tuple(args)
    args = ["--n-gpu-layers", str(placed.gpu_layers)]
    if placed.cpu_moe:
        args.append("--cpu-moe")
    if placed.n_cpu_moe is not None:
        args += ["--n-cpu-moe", str(placed.n_cpu_moe)]
    if placed.override_tensor is not None:
        args += ["--override-tensor", placed.override_tensor]
    if placed.moe_cache_mib is not None:
        args += [own_flags.MOE_CACHE, str(placed.moe_cache_mib)]
    args += ["--split-mode", "layer"]
    if placed.tensor_split is not None:
        args += ["--tensor-split", ",".join(f"{share:.9g}" for share in placed.tensor_split)]
    return (*args, "--fit", "off")


def _sizes(wanted: Wanted) -> tuple[str, ...]:
    kind = wanted.server_cache_type
    # llama-server cuts the physical batch down to the logical one without a word
    batch = max(wanted.server_batch, wanted.server_ubatch)
    return (
        *("--ctx-size", str(wanted.server_context), "--parallel", str(wanted.server_parallel)),
        *("--flash-attn", "on", "--cache-type-k", kind, "--cache-type-v", kind),
        *("--batch-size", str(batch), "--ubatch-size", str(wanted.server_ubatch)),
    )


def _threads(tuning: TuningPlan) -> tuple[str, ...]:
    numa = ("--numa", tuning.numa) if tuning.numa else ()
    threads = ("--threads", str(tuning.threads), "--threads-batch", str(tuning.threads_batch))
    return (*threads, *numa)


def _environment(wanted: Wanted, cards: Cards) -> dict[str, str]:
    """CUDA's order is made that of PCI addresses, which is the order of every list in a plan."""
    environment: dict[str, str] = {}
    if cards.used:
        environment = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", **CUDA_CACHE}
        if cards.used != cards.visible:
            chosen = {card.gpu.pci for card in cards.used}
            numbers = [str(n) for n, card in enumerate(cards.visible) if card.gpu.pci in chosen]
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(numbers)
    return {**environment, **wanted.server_environment}
