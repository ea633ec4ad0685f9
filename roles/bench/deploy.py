"""The bench role: which operations, in which order."""

from pyinfra.api import deploy

from roles.bench import memory, operations
from roles.bench.defaults import DEFAULTS


@deploy("Bench", data_defaults=DEFAULTS)
def measure() -> None:
    """Measure the running server and host RAM, and keep what was found."""
    operations.find_idle(name="See that the server answers nobody")
    operations.measure_server(name="Measure the server")
    memory.have_sysbench(name="Have what measures host RAM")
    memory.measure_memory(name="Measure the bandwidth of host RAM")
