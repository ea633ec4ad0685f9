"""What pyinfra reads at every start from this directory: the pyinfra this house is built on."""

from pyinfra import config

config.REQUIRE_PYINFRA_VERSION = "~=3.10"
