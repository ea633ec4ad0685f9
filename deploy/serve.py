"""Only what serves: the release, the host's settings and the service."""

from roles.base import deploy as base
from roles.preflight import deploy as preflight
from roles.runtime import deploy as runtime
from roles.server import deploy as server
from roles.tuning import deploy as tuning

preflight.check()
base.prepare()
runtime.install()
tuning.apply()
server.serve()
