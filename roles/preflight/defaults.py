"""Options of the preflight role."""

# base_clock_skew_limit_s: how far a host's clock may be from this machine's, in seconds; with a
#   wrong clock neither certificates nor signed package lists are valid
DEFAULTS: dict[str, object] = {"base_clock_skew_limit_s": 120}
