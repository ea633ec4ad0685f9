"""Every option a user sets, with its default: one comment line each (meaning, unit, what None is).

Set options here for all hosts, in group_data/<group>.py for a group, or beside a host in the
inventory; the nearer wins. Paths are paths on the host, unless "here" says: on this machine.
"""

# -- how pyinfra works -------------------------------------------------------------------------

# longest time for one command on a host, in seconds; a command that hangs blocks its host
_timeout = 6 * 3600

# -- base --------------------------------------------------------------------------------------

# how long to wait while another process holds a lock of apt's or dnf's, in seconds
base_package_lock_timeout_s = 600

# how far a host's clock may be from this machine's, in seconds
base_clock_skew_limit_s = 120

# -- cards -------------------------------------------------------------------------------------

# PCI addresses ("0000:82:00.0") of cards to leave alone; they get no work and decide no driver
ignore_gpus = ()

# how many cards to use, in the order of their PCI addresses; None: all that help the model
gpu_count = None

# VRAM in MiB by PCI address, for cards the catalog does not know or that were modified
gpu_vram_mib = {}

# compute capability ("12.0") by PCI address, for cards that are newer than the catalog
gpu_compute_cap = {}

# -- driver ------------------------------------------------------------------------------------

# NVIDIA branch, such as "580"; None: the newest long-term branch that serves every card
driver_branch = None

# kernel module flavour, "open" or "proprietary"; None: what the cards need
driver_flavour = None

# "ubuntu-archive", "debian-archive", "nvidia-repository" or "rpmfusion"; None: what the
# distribution offers
driver_source = None

# with Secure Boot on: whether the key that this host signs its modules with has been enrolled
driver_key_enrolled = False

# where NVIDIA's repositories are, or a mirror of them
driver_nvidia_repository_url = "https://developer.download.nvidia.com/compute/cuda/repos"

# fingerprint of each repository's key, or with https how it ends (8 digits or more); added to these
driver_nvidia_fingerprints = {
    "debian13": "8793F200",
    "ubuntu2604": "8793F200",
    "debian12": "EB693B3035CD5710E231E123A4B469963BF863CC",
    "ubuntu2204": "EB693B3035CD5710E231E123A4B469963BF863CC",
    "ubuntu2404": "EB693B3035CD5710E231E123A4B469963BF863CC",
    "rhel9": "610C7B14E068A878070DA4E99CD0A493D42D0685",
    "rhel10": "CDF6BA43",
    "fedora44": "73CD9B30",
}

# where RPM Fusion's repositories begin, which Fedora's packages of branch 580 come from
driver_rpmfusion_url = "https://mirrors.rpmfusion.org"

# whether the old module may be taken out and the new one loaded in its place, stopping llama-server
# for it; a reboot follows where it does not let go
driver_reload = True

# whether a host may be rebooted when its driver has to be loaded
driver_reboot = True

# how long a host may take to come back from its reboot, in seconds
driver_reboot_timeout_s = 600

# -- runtime: llama.cpp ------------------------------------------------------------------------

# upstream build, such as "b11669"; None: the catalog's pinned build
runtime_build = None

# CUDA line, "12.8" or "13.4"; None: what the cards and the driver allow
runtime_cuda = None

# rows for release assets the catalog does not know: name, build, cuda, glibc, archs
runtime_asset_rows = ()

# where releases lie beside each other, with the link `current`
runtime_directory = "/opt/llama.cpp"

# "auto" (where no release fits the host, its driver or the model), "always" or "never"
runtime_compile = "auto"

# repository whose releases are installed, or whose sources are compiled: OWNER/NAME
runtime_repository = "ggml-org/llama.cpp"

# GitHub's API or a mirror that speaks it
runtime_release_api_url = "https://api.github.com"

# how many releases stay on the disk, the current one included; at least 1
runtime_keep = 2

# how long a run waits for a build, in seconds; the build itself goes on, and the next run waits
runtime_build_timeout_s = 6 * 3600

# directory here for compiled releases, so that hosts alike compile once; None: in the user's cache
runtime_packs_directory = None

# where NVIDIA's CUDA toolkits lie as tarballs, or a mirror of it
runtime_cuda_redist_url = "https://developer.download.nvidia.com/compute/cuda/redist"

# -- tuning ------------------------------------------------------------------------------------

# vm.swappiness, 0 to 200; None: leave it alone
tuning_swappiness = 10

# kernel.numa_balancing where there is more than one NUMA node, 0 or 1; None: leave it alone
tuning_numa_balancing = 0

# CPU frequency governor where the kernel has one; None: leave it alone
tuning_governor = "performance"

# -- model -------------------------------------------------------------------------------------

# name in the catalog (boxwright/catalog/models.yaml) or in models_catalog; "auto": what fits best
model = "qwen3.5-122b-a10b"

# quant of the model, such as "Q4_K_M"; None: the catalog's default, never a smaller one
model_quant = None

# tokens per second that "auto" asks of decode at least; a slower model is not chosen
model_min_decode_tok_s = 5.0

# rows for models the catalog does not have, or that replace its own; the same keys as there
models_catalog = {}

# the model disk: never formatted, files there are adopted; survives a reinstall
models_directory = "/srv/models"

# what has to stay free on the model disk after the last byte, in MiB
models_disk_reserve_mib = 1024

# the Hub or a mirror that speaks its API
models_hub_url = "https://huggingface.co"

# file here whose first line is the Hub token, for gated models; None: no token
models_hub_token_file = None

# -- server ------------------------------------------------------------------------------------

# what is to be fast: "balanced", "decode" or "prefill"; where there is more than one NUMA node, or
# for the batch, it decides what is not set (boxwright/plan/profile.py)
server_profile = "balanced"

# address to listen on; None: 127.0.0.1, or 0.0.0.0 when there is an API key
server_host = None

# TCP port
server_port = 8080

# file here (mode 0600) with the API keys, one per line; None: no key, loopback only
server_api_key_file = None

# model name in the API's answers; None: the catalog's name
server_alias = None

# context in tokens, for all parallel users together; 0: as large as fits beside the model, whose
# layers stay on the cards if all of them do with 32768 tokens
server_context = 32768

# type of the KV cache, K and V alike: "f16", "q8_0", ...
server_cache_type = "q8_0"

# logical batch in tokens
server_batch = 2048

# physical batch in tokens: larger is faster prefill and more VRAM; 0: as large as the cards hold
# beside the experts, for at most 5 % of decode
server_ubatch = 512

# users served at once; they share the context
server_parallel = 1

# threads for decode; None: physical cores
server_threads = None

# where weights lie: "auto", "gpu", "cpu-moe" (experts in host RAM) or "cpu"
server_placement = "auto"

# keep the experts of the first N layers in host RAM; None: decided by the placement
server_n_cpu_moe = None

# shares of the cards, such as (3, 2), in the order of their PCI addresses; None: by their memory
server_tensor_split = None

# --numa mode; None: "distribute" where there is more than one node
server_numa = None

# how weights are loaded, such as "mlock"; None: locked in memory
server_load_mode = None

# host RAM for cached prompts, in MiB
server_cache_ram_mib = 2048

# copies of the state that cannot be cut (recurrent, sliding windows) that llama-server keeps for
# each user in host RAM, to go back in a conversation; None: by the context
server_context_checkpoints = None

# VRAM for a cache of experts that lie in host RAM, in MiB, all cards together; None: no cache.
# Decode gained a third on PCIe 4.0 and 5.0, on PCIe 3.0 it may lose: measure it
server_moe_cache_mib = None

# environment variables of the service
server_environment = {}

# texts of systemd drop-ins for the unit, by name
server_dropins = {}

# time a start may take beside reading the model, in seconds
server_start_base_s = 900

# how slow the model disk may read or write, in MiB/s; gives the start's deadlines
server_disk_read_mib_s = 100

# how many tokens the measured completion asks for
server_decode_tokens = 32

# how long that completion may take, in seconds
server_answer_timeout_s = 600

# arguments put at the end of llama-server's own; checked against its --help
server_extra_args = ()

# -- bench: measured by deploy/bench.py, never by deploy/all.py ----------------------------------

# lengths of the prompts to measure with, in tokens; what the context does not hold is left out
bench_prompt_tokens = (64, 4096)

# how many tokens are asked for after each prompt
bench_decode_tokens = 128

# how often each prompt is asked
bench_repeat = 3

# how long one of those answers may take, in seconds
bench_timeout_s = 1800

# whether the bandwidth of host RAM is measured too, for which the package sysbench is installed
bench_memory = True

# -- network -----------------------------------------------------------------------------------

# HTTP proxy for apt, dnf, Hub and releases, here and on the hosts; None: none
proxy_url = None

# hosts reached without the proxy, with commas
proxy_exceptions = "localhost,127.0.0.1"
