"""The base role: what every later role needs of a fresh host."""
