"""What a host is and has: pyinfra facts of one round trip each, which decide nothing."""

from boxwright.facts.probe import Machine

__all__ = ["Machine"]
