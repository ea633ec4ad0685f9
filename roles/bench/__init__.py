"""The bench role: how fast this host really is."""
