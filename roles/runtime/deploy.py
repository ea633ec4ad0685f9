"""The runtime role: which operations, in which order."""

from pyinfra.api import deploy

from roles.runtime import operations, proofs
from roles.runtime.defaults import DEFAULTS


@deploy("Runtime", data_defaults=DEFAULTS)
def install() -> None:
    """Have the planned llama.cpp release, make it the current one, and prove it."""
    operations.install_release(name="Install the llama.cpp release")
    operations.choose_release(name="Make it the current release")
    operations.tidy_releases(name="Remove leftovers and old releases")
    proofs.prove_release(name="Prove its build and its flags")
    proofs.prove_devices(name="Prove that it sees the GPUs")


@deploy("Runtime", data_defaults=DEFAULTS)
def verify() -> None:
    """Prove the runtime; change nothing."""
    proofs.prove_release(name="Prove its build and its flags")
    proofs.prove_devices(name="Prove that it sees the GPUs")
