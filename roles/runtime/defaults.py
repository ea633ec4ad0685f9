"""Options of the runtime role that say how to act; what to have is in the plan."""

# runtime_keep: how many releases stay on the disk, the current one included; at least 1
DEFAULTS: dict[str, object] = {"runtime_keep": 2}
