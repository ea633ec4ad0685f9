"""The whole box, top to bottom: from a fresh system to one that serves."""

from roles.base import deploy as base
from roles.driver import deploy as driver
from roles.models import deploy as models
from roles.preflight import deploy as preflight
from roles.runtime import deploy as runtime
from roles.server import deploy as server
from roles.tuning import deploy as tuning

preflight.check()
base.prepare()
driver.install()
runtime.install()
tuning.apply()
server.rehearse()
models.fetch()
server.serve()
