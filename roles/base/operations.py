"""The service account and the directories of ours."""

from __future__ import annotations

from pyinfra.context import host
from pyinfra.facts.server import Groups
from pyinfra.operations import files, server

from boxwright.operation import Commands, noop, operation, refuse, wanted_for_host
from boxwright.plan.results import Refusal
from roles.base.account import Account

ACCOUNT = "llama"
ACCOUNT_HOME = "/var/cache/llama-server"  # where CUDA keeps what it compiled for these cards
CARD_GROUPS = ("video", "render")  # owners of /dev/dri; /dev/nvidia* are open to all
NO_LOGIN = "/usr/sbin/nologin"
FIRST_HUMAN_UID = 1000  # UID_MIN of login.defs in every distribution here


@operation
def have_account() -> Commands:
    """Have the system account that the server runs as, without a login."""
    known = host.get_fact(Account, login=ACCOUNT)
    if known is not None and known.uid >= FIRST_HUMAN_UID:
        yield from refuse(
            Refusal(
                f"the user {ACCOUNT} exists with uid {known.uid}, needed is a system account"
                f" (uid below {FIRST_HUMAN_UID}) of that name",
                "rename that user (usermod --login), then run again",
            )
        )
        return
    there = host.get_fact(Groups)
    groups = [name for name in CARD_GROUPS if name in there]
    if (
        known is not None
        and (known.group, known.home, known.shell) == (ACCOUNT, ACCOUNT_HOME, NO_LOGIN)
        and set(groups) <= set(known.groups)
    ):
        noop(f"the account {ACCOUNT} is as wanted")
        return
    yield from server.group._inner(group=ACCOUNT, system=True)
    yield from server.user._inner(
        user=ACCOUNT,
        group=ACCOUNT,
        groups=groups,
        append=True,
        home=ACCOUNT_HOME,
        ensure_home=False,
        shell=NO_LOGIN,
        system=True,
    )


@operation
def have_directories() -> Commands:
    """Have the directories; those that may be disks of the user's own are left as they are."""
    wanted = wanted_for_host()
    for path in ("/etc/boxwright", "/var/lib/boxwright"):
        yield from files.directory._inner(path=path, user="root", group="root", mode="755")
    yield from files.directory._inner(path=ACCOUNT_HOME, user=ACCOUNT, group=ACCOUNT, mode="750")
    for path in (wanted.runtime_directory, wanted.models_directory):
        yield from files.directory._inner(path=path, _no_fail_on_link=True)
