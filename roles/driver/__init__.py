"""The driver role: the NVIDIA driver of the planned branch and flavour, loaded and proved."""
