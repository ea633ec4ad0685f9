"""Boxwright: from a fresh OS to a box that serves a large mixture-of-experts model."""
