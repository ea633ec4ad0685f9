"""Options of the runtime role that say how to act; what to have is in the plan."""

from boxwright.operation.nvidia import REDIST_URL

# runtime_keep: how many releases stay on the disk, the current one included; at least 1
# runtime_build_timeout_s: how long a run waits for a build, in seconds; the build itself goes on
# runtime_packs_directory: directory here for compiled releases; None: in this user's cache
# runtime_cuda_redist_url: where NVIDIA's toolkits lie as tarballs, or a mirror of it
DEFAULTS: dict[str, object] = {
    "runtime_keep": 2,
    "runtime_build_timeout_s": 6 * 3600,
    "runtime_packs_directory": None,
    "runtime_cuda_redist_url": REDIST_URL,
}
