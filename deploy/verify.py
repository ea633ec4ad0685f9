"""Only the proofs; changes nothing."""

from roles.driver import deploy as driver
from roles.models import deploy as models
from roles.preflight import deploy as preflight
from roles.runtime import deploy as runtime
from roles.server import deploy as server
from roles.tuning import deploy as tuning

preflight.check()
driver.verify()
runtime.verify()
tuning.verify()
models.verify()
server.verify()
