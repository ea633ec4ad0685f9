"""Models: the weights on the model disk, adopted or fetched, checked and stamped."""
