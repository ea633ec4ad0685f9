"""Only the model: on the disk and checked."""

from roles.base import deploy as base
from roles.models import deploy as models
from roles.preflight import deploy as preflight
from roles.server import deploy as server

preflight.check()
base.prepare()
server.rehearse()
models.fetch()
