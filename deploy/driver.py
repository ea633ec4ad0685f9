"""Only the driver: installed, loaded and proved."""

from roles.base import deploy as base
from roles.driver import deploy as driver
from roles.preflight import deploy as preflight

preflight.check()
base.prepare()
driver.install()
