"""The tuning role: which operations, in which order."""

from pyinfra.api import deploy

from roles.tuning import operations, proofs
from roles.tuning.defaults import DEFAULTS


@deploy("Tuning", data_defaults=DEFAULTS)
def apply() -> None:
    """Have the memory lock limit, kernel settings and the CPU governor, and prove them."""
    operations.allow_locked_memory(name="Allow the server to lock its memory")
    operations.set_kernel(name="Set the kernel's memory settings")
    operations.set_governor(name="Set the CPU governor")
    proofs.prove_kernel(name="Prove the kernel's memory settings")
    proofs.prove_governor(name="Prove the CPU governor")


@deploy("Tuning", data_defaults=DEFAULTS)
def verify() -> None:
    """Prove the tuning; change nothing."""
    proofs.prove_kernel(name="Prove the kernel's memory settings")
    proofs.prove_governor(name="Prove the CPU governor")
