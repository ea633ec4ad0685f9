"""Options of the base role."""

# base_apt_lock_timeout_s: how long to wait while another process holds a lock of apt's, in seconds
DEFAULTS: dict[str, object] = {"base_apt_lock_timeout_s": 600}
