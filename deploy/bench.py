"""Only measuring: how fast host RAM and the running server are."""

from roles.bench import deploy as bench
from roles.preflight import deploy as preflight
from roles.server import deploy as server

preflight.check()
server.verify()
bench.measure()
