"""Tests by cost: unit (pure), integration (fake fleets), lab (real systemd hosts)."""
