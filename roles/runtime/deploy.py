"""The runtime role: which operations, in which order."""

from pyinfra.api import deploy

from roles.runtime import compiling, operations, proofs
from roles.runtime.defaults import DEFAULTS


@deploy("Runtime", data_defaults=DEFAULTS)
def install() -> None:
    """Have the planned llama.cpp release, make it the current one, and prove it."""
    operations.install_release(name="Install the llama.cpp release")
    compiling.agree(name="Agree on which host compiles")
    compiling.compile_for_all(name="Compile llama.cpp where no release fits")
    compiling.give_to_others(name="Keep what was compiled for other hosts")
    compiling.take_from_others(name="Install what another host compiled")
    compiling.compile_for_all(name="Compile llama.cpp on the next host if that failed")
    compiling.give_to_others(name="Keep what the next host compiled")
    compiling.take_from_others(name="Install what the next host compiled")
    compiling.compile_alone(name="Compile what no other host gave")
    operations.choose_release(name="Make it the current release")
    operations.tidy_releases(name="Remove leftovers and old releases")
    proofs.prove_release(name="Prove its build and its flags")
    proofs.prove_devices(name="Prove that it sees the GPUs")


@deploy("Runtime", data_defaults=DEFAULTS)
def verify() -> None:
    """Prove the runtime; change nothing."""
    proofs.prove_release(name="Prove its build and its flags")
    proofs.prove_devices(name="Prove that it sees the GPUs")
