"""The models role: which operations, in which order."""

from pyinfra.api import deploy

from roles.models import operations, proofs
from roles.models.defaults import DEFAULTS


@deploy("Models", data_defaults=DEFAULTS)
def fetch() -> None:
    """Have the planned model on its disk, checked and stamped, and prove it."""
    operations.adopt_files(name="Adopt model files that are there")
    operations.fetch_files(name="Fetch model files")
    operations.stamp_files(name="Stamp the model")
    proofs.prove_files(name="Prove that the model is whole")


@deploy("Models", data_defaults=DEFAULTS)
def verify() -> None:
    """Prove the model; change nothing."""
    proofs.prove_files(name="Prove that the model is whole")
