"""The driver role: which operations, in which order."""

from pyinfra.api import deploy

from roles.driver import kernel, key, load, operations, persistence, proofs, repository, rpm
from roles.driver.defaults import DEFAULTS


@deploy("Driver", data_defaults=DEFAULTS)
def install() -> None:
    """Have the planned driver installed, held and loaded, by a reboot if it has to be; prove it."""
    key.trust_key(name="Trust the key of NVIDIA's repository")
    repository.add_source(name="Add NVIDIA's repository")
    repository.add_components(name="Add the archive's components for drivers")
    repository.pin_branch(name="Pin the branch")
    rpm.add_prerequisites(name="Have what dnf needs for the driver's packages")
    rpm.enable_stream(name="Choose the branch's module stream")
    rpm.lock_branch(name="Lock the branch")
    operations.install_packages_of_branch(name="Install the driver")
    operations.hold_packages(name="Hold the driver's packages")
    kernel.keep_nouveau_off(name="Keep nouveau from being loaded")
    kernel.have_module(name="Have the module for this kernel")
    load.load_driver(name="Load the driver, by a reboot if it has to be")
    persistence.keep_loaded(name="Keep the cards initialised")
    proofs.prove_versions(name="Prove that one version is loaded and installed")
    proofs.prove_held(name="Prove that no upgrade changes the branch")
    proofs.prove_cards(name="Prove that nvidia-smi lists every card")


@deploy("Driver", data_defaults=DEFAULTS)
def verify() -> None:
    """Prove the driver; change nothing."""
    proofs.prove_versions(name="Prove that one version is loaded and installed")
    proofs.prove_held(name="Prove that no upgrade changes the branch")
    proofs.prove_cards(name="Prove that nvidia-smi lists every card")
