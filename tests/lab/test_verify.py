"""deploy/verify.py: proves a converged host and changes nothing; names what no longer holds."""

from __future__ import annotations

import pytest

from tests.lab.conftest import RunningLab
from tests.lab.far import Far
from tests.lab.runs import Run, run

pytestmark = pytest.mark.lab

VERIFY = "deploy/verify.py"
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


@pytest.mark.parametrize(
    ("host", "damage", "said"),
    [
        ("plain", "systemctl stop llama-server.service", "llama-server"),
        ("ryzen", "sysctl -q -w vm.swappiness=60", "swappiness"),
        (
            "ryzen",
            'for f in $(find /srv/models -name "*.gguf" | head -1); do echo x >>$f; done',
            "",
        ),
        ("plain", "chmod 0644 /etc/boxwright/api-key", "api-key"),
    ],
    ids=["stopped-service", "live-sysctl", "grown-model-file", "readable-key"],
)
def test_damage_is_named_on_that_host_alone_and_the_next_run_mends_it(
    lab: RunningLab, converged: Run, host: str, damage: str, said: str
) -> None:
    Far(lab, host).said(damage)
    verified = run(lab, deploy=VERIFY)
    assert verified.code != 0
    assert verified.failed == {host}, verified.log[-4000:]
    assert said in verified.refusals[host]
    assert "Cure:" in verified.refusals[host]

    mended = run(lab)
    assert mended.code == 0, mended.log[-4000:]
    assert mended.changed(host)
    assert run(lab, deploy=VERIFY).code == 0
