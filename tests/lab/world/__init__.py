"""Everything a host of the lab downloads: packages, releases, models; made here, served here.

`prepare` makes the artifacts once, `start` serves them on a lab's bridge address, `describe` says
what an inventory has to know of them, `guest_sources` is what a fresh install's apt has.
"""

from tests.lab.world.build import World, prepare
from tests.lab.world.description import describe
from tests.lab.world.guests import guest_sources
from tests.lab.world.services import start
from tests.lab.world.shaders import shader_cache, warm

__all__ = ["World", "describe", "guest_sources", "prepare", "shader_cache", "start", "warm"]
