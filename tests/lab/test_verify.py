"""deploy/verify.py: proves a converged host and changes nothing; names what no longer holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.far import Far
from tests.lab.runs import Run, run, variant

pytestmark = pytest.mark.lab

VERIFY = "deploy/verify.py"
# on each host something else is wrong: what is done to it, and a word of the sentence about it
DAMAGES = {
    "plain": ("systemctl stop llama-server.service", "llama-server"),
    "ryzen": ("sysctl -q -w vm.swappiness=60", "swappiness"),
    "xeon": ("chmod 0644 /etc/boxwright/api-key", "api-key"),
}
WHOLE = "pro6000"
NEWER = (
    "find / -xdev -newer /run/before-verify -type f"
    " -not -path '/proc/*' -not -path '/sys/*' -not -path '/run/*' -not -path '/var/log/*'"
    " -not -path '/var/cache/*'"
)


def test_it_proves_the_converged_hosts_and_changes_nothing(lab: RunningLab, converged: Run) -> None:
    hosts = [Far(lab, name) for name in ("xeon", "plain")]
    for far in hosts:
        far.said("touch /run/before-verify; sleep 0.1")
    verified = run(lab, deploy=VERIFY)
    assert verified.code == 0, verified.log[-4000:]
    assert (verified.totals["success"], verified.totals["error"]) == (0, 0)
    for far in hosts:
        assert far.said(NEWER) == ""


def test_damage_is_named_on_its_host_alone_and_the_next_run_mends_it(
    lab: RunningLab, converged: Run
) -> None:
    for host, (damage, _) in DAMAGES.items():
        Far(lab, host).said(damage)
    verified = run(lab, deploy=VERIFY)
    assert verified.code != 0
    assert verified.failed == set(DAMAGES), verified.log[-4000:]
    for host, (_, said) in DAMAGES.items():
        assert said in verified.refusals[host]
        assert "Cure:" in verified.refusals[host]

    mended = run(lab)
    assert mended.code == 0, mended.log[-4000:]
    for host in DAMAGES:
        assert mended.changed(host)
    assert mended.changed(WHOLE) == []
    assert run(lab, deploy=VERIFY).code == 0


def test_a_damaged_model_file_is_named_kept_and_replaced_once_it_is_out_of_the_way(
    lab: RunningLab, converged: Run, tmp_path: Path
) -> None:
    """A file under its final name is never deleted: it may be the user's own."""
    ryzen = Far(lab, "ryzen")
    inventory = variant(tmp_path, {}, ["ryzen"])
    file = ryzen.said("find /srv/models -name '*-00002-of-*.gguf'")
    ryzen.said(f"echo damage >>{file}")
    for deploy in (VERIFY, "deploy/all.py"):
        refused = run(lab, inventory, deploy)
        assert refused.code == 1
        assert Path(file).name in refused.refusals["ryzen"]
        assert "Cure:" in refused.refusals["ryzen"]
    ryzen.said(f"mv {file} /root/damaged.gguf")
    mended = run(lab, inventory)
    assert mended.code == 0, mended.log[-4000:]
    ryzen.said("rm /root/damaged.gguf")
    assert run(lab, inventory, VERIFY).code == 0
