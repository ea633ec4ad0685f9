"""Options of the models role that say how to act; which model is in the plan."""

# models_disk_reserve_mib: what has to stay free on the model disk after the last byte, in MiB
DEFAULTS: dict[str, object] = {"models_disk_reserve_mib": 1024}
