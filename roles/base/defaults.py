"""Options of the base role."""

# base_package_lock_timeout_s: how long to wait while another process holds a lock of the package
#   manager's (apt, dnf), in seconds
DEFAULTS: dict[str, object] = {"base_package_lock_timeout_s": 600}
