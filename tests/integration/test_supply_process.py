"""What costs more than a second: greenlets in a process of their own, a vocabulary of full size."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from boxwright.gguf import read_shape
from tests.unit.gguf_files import dense_keys, dense_tensors, write

GREENLETS = """
from gevent import monkey
monkey.patch_all()
import gevent, time
from boxwright.supply.once import once

asked = []

def ask():
    asked.append(1)
    time.sleep(0.2)  # yields to the other greenlets, as a socket would
    return len(asked)

jobs = [gevent.spawn(once, "key", ask) for _ in range(8)]
gevent.joinall(jobs, timeout=5)
print(len(asked), [job.value for job in jobs])
"""


def test_greenlets_of_one_run_share_one_answer() -> None:
    """pyinfra runs hosts as greenlets of one thread, where a plain lock would block for ever."""
    done = subprocess.run(
        [sys.executable, "-c", GREENLETS], capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.strip() == f"1 {[1] * 8}"


def test_a_vocabulary_of_a_quarter_million_takes_no_seconds(tmp_path: Path) -> None:
    """The package's own reader takes 18 s for this one."""
    path = write(tmp_path / "m.gguf", "llama", dense_keys(), dense_tensors(), tokens=248_320)
    started = time.process_time()
    assert read_shape([path]).vocabulary == 248_320
    assert time.process_time() - started < 2.5
