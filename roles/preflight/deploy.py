"""The preflight role: which checks, in which order."""

from pyinfra.api import deploy

from roles.preflight import endpoints, operations
from roles.preflight.defaults import DEFAULTS


@deploy("Preflight", data_defaults=DEFAULTS)
def check() -> None:
    """Refuse a host that may not be changed or cannot be served, before anything is touched."""
    operations.may_be_changed(name="Access, systemd, clock", _sudo=False)
    operations.can_be_served(name="The whole plan")
    operations.has_room(name="Free disk")
    operations.port_is_free(name="The port")
    endpoints.endpoints_answer(name="Endpoints of what is missing")
