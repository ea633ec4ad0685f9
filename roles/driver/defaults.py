"""Options of the driver role that say how to act; what to have is in the plan."""

from boxwright.operation.nvidia import FINGERPRINTS, REPOSITORY_URL
from boxwright.operation.rpmfusion import RPMFUSION_URL

# driver_nvidia_repository_url: where NVIDIA's repositories are, a mirror of it perhaps
# driver_nvidia_fingerprints: by repository, the fingerprint of its key, or (where the repository is
#   reached by https) how that ends, in 8 digits or more; entries here add to and replace these
# driver_rpmfusion_url: where RPM Fusion's repositories begin (Fedora's packages of branch 580)
# driver_reload: whether the old module may be taken out and the new one loaded in its place; what
#   uses the cards (llama-server) is stopped for it, and a reboot follows where it does not let go
# driver_reboot: whether a host may be rebooted when its driver has to be loaded
# driver_reboot_timeout_s: how long a host may take to come back from its reboot, in seconds
DEFAULTS: dict[str, object] = {
    "driver_nvidia_repository_url": REPOSITORY_URL,
    "driver_nvidia_fingerprints": FINGERPRINTS,
    "driver_rpmfusion_url": RPMFUSION_URL,
    "driver_reload": True,
    "driver_reboot": True,
    "driver_reboot_timeout_s": 600,
}
