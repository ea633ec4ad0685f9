"""The base role: which operations, in which order."""

from pyinfra.api import deploy

from roles.base import operations, packages
from roles.base.defaults import DEFAULTS


@deploy("Base", data_defaults=DEFAULTS)
def prepare() -> None:
    """Have the service account, whole and reachable packages, and the directories of ours."""
    operations.have_account(name="Have the service account")
    packages.set_manager(name="Let the package manager wait for its locks")
    packages.set_proxy(name="Give the package manager the proxy")
    packages.finish_packages(name="Finish what an interrupted installation left")
    packages.have_packages(name="Have the packages that are needed")
    operations.have_directories(name="Have the directories")
