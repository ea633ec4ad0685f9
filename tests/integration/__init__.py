"""Tests of whole deploys on fake fleets and recorded outputs; no host is changed."""
