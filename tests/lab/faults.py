"""Brings hosts into the states that a driver's installation may find, over plain ssh."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from tests.lab.conftest import RunningLab
from tests.lab.far import Far

PREPARE_TIMEOUT_S = 600.0
INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends"

COMPLAINT = (
    "/var/lib/dkms/nvidia/620.36.01/build/nvidia/nv-mmap.c:497:5: error: implicit declaration of"
    " function 'vm_flags_set'"
)
DKMS_COMPLAINT = "/etc/boxwright-lab/dkms-complaint"
SSH_MASK = "etc/systemd/system/ssh.service"
UBUNTUS_KEYRING = "/usr/share/keyrings/boxwright-lab-ubuntu.asc"

WRONG_PASCAL = f"""
apt-get -qq update
{INSTALL} linux-headers-6.8.0-60-generic nvidia-headless-595-server-open nvidia-utils-595-server
"""
# as NVIDIA's guide has it: the source and keyring of its cuda-keyring package, a pin, a meta
WRONG_BLACKWELL = f"""
cat >/usr/share/keyrings/cuda-archive-keyring.asc <<'EOF'
{{key}}
EOF
echo 'deb [signed-by=/usr/share/keyrings/cuda-archive-keyring.asc] {{repository}}/ /' \
    >/etc/apt/sources.list.d/cuda-debian13-x86_64.list
apt-get -qq update
{INSTALL} linux-headers-amd64 nvidia-driver-pinning-595
{INSTALL} cuda-drivers
"""
DKMS_FAILS = f"""
mkdir -p /etc/boxwright-lab
cat >{DKMS_COMPLAINT} <<'EOF'
{COMPLAINT}
EOF
"""
# the sshd that runs goes on, the next boot starts none
NEVER_BACK = f"ln -s /dev/null /{SSH_MASK}"
# libgomp1 fails in a script of its own, and jq lacks what it depends on
HALF_DPKG = """
apt-get -qq update
cd /root
apt-get -qq download libgomp1 jq
dpkg --unpack libgomp1_*.deb
script=/var/lib/dpkg/info/libgomp1:amd64.postinst
printf '#!/bin/sh\\nexit 1\\n' >$script
chmod 0755 $script
if dpkg --configure libgomp1; then exit 1; fi
rm $script
dpkg --force-depends --install jq_*.deb
rm ./*.deb
"""
# a small file system over /boot; an overlay, since a real disk is what the product looks at
FULL_BOOT = """
mkdir /small
mount -t tmpfs -o size=24m lab /small
mkdir /small/upper /small/work
mount -t overlay lab -o lowerdir=/boot,upperdir=/small/upper,workdir=/small/work /boot
"""
BAD_ARCHIVE = f"""
cat >{UBUNTUS_KEYRING} <<'EOF'
{{key}}
EOF
"""


@dataclass(frozen=True)
class State:
    """What stays as it was on a host that may not be changed."""

    packages: str
    sources: str
    boot: str


def state_of(far: Far) -> State:
    """The packages, the files of apt's and modprobe's settings with their times, and the boot."""
    return State(
        far.said("dpkg-query -W -f '${Package} ${Version} ${db:Status-Abbrev}\\n' | sha256sum"),
        far.said("find /etc/apt /etc/modprobe.d -type f -printf '%p %s %T@\\n' | sort"),
        far.said("cat /proc/sys/kernel/random/boot_id"),
    )


def prepare(lab: RunningLab) -> None:
    """Bring the spare hosts of tests/lab/test_driver_faults.py into their states, side by side."""
    nvidia = lab.document["nvidia"]
    repository = f"{nvidia['repository_url']}/debian13/x86_64"
    url = f"{repository}/{nvidia['keys']['debian13'][-8:]}.pub"
    key = httpx.get(url, trust_env=False).raise_for_status().text

    def bring(name: str, script: str) -> None:
        Far(lab, name).said(f"(set -e; {script}) 2>&1", PREPARE_TIMEOUT_S)
        if name.startswith("wrong"):
            lab.reboot(name)

    scripts = {
        "wrongpascal": WRONG_PASCAL,
        "wrongblackwell": WRONG_BLACKWELL.format(key=key, repository=repository),
        "halfdpkg": HALF_DPKG,
        "dkmsfails": DKMS_FAILS,
        "neverback": NEVER_BACK,
        "fullboot": FULL_BOOT,
        "badarchive": BAD_ARCHIVE.format(key=key),
    }
    with ThreadPoolExecutor(max_workers=len(scripts)) as pool:
        list(pool.map(bring, scripts, scripts.values()))
