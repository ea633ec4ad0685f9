"""Options of the tuning role that say how to act: none; what to have is in the plan."""

DEFAULTS: dict[str, object] = {}
