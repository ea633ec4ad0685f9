"""What another program holds of a host: a port, or memory of a card."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests.lab.far import Far


@contextmanager
def port_held(far: Far, port: int) -> Iterator[None]:
    """Another program listens on this port of the host."""
    listen = f'import socket,time; s=socket.create_server(("0.0.0.0",{port})); time.sleep(3600)'
    listens = f"ss -Hltn 'sport = :{port}' | grep -q ."
    far.said(
        f"systemd-run -q --collect --unit=squatter python3 -c '{listen}'\n"
        f"until {listens}; do systemctl is-active -q squatter.service || exit 1; sleep 0.1; done"
    )
    try:
        yield
    finally:
        far.said("systemctl stop squatter.service")


@contextmanager
def vram_held(far: Far, mib: int) -> Iterator[None]:
    """Another program holds this much of the host's first card."""
    used = far.said("head -n 1 /run/boxwright-lab/gpus.csv | cut -d, -f5")
    far.said(f"echo '{mib} 4242 blender' >{used}")
    try:
        yield
    finally:
        far.said(f"echo 0 >{used}")
