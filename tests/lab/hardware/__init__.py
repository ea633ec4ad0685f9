"""Pretended hardware: trees of /sys and /proc files that the guests show instead of this machine's."""
