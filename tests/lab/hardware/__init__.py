"""Pretended hardware: trees of /sys and /proc files that guests show in place of the real ones."""
