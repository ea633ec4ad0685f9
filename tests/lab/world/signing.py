"""Signs kernel modules as a distribution does: a detached CMS signature appended to the file.

Layout: the kernel's scripts/sign-file and include/linux/module_signature.h.
"""

from __future__ import annotations

import struct
import subprocess
import tempfile
from functools import cache
from pathlib import Path

SIGNER = "Canonical Ltd. Kernel Module Signing"
PKCS7 = 2
MAGIC = b"~Module signature appended~\n"


def signed(module: bytes) -> bytes:
    """The module with a signature that `modinfo` tells as SIGNER's; the key is made on the spot."""
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "key.pem").write_text(_key_and_certificate())
        command = ["openssl", "cms", "-sign", "-binary", "-noattr", "-nocerts", "-md", "sha256"]
        keys = ["-signer", str(place / "key.pem"), "-outform", "DER"]
        signature = subprocess.run(
            [*command, *keys], input=module, check=True, capture_output=True
        ).stdout
    trailer = struct.pack(">BBBBBxxxI", 0, 0, PKCS7, 0, 0, len(signature))
    return module + signature + trailer + MAGIC


@cache
def _key_and_certificate() -> str:
    command = ["openssl", "req", "-new", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "36500"]
    subject = ["-subj", f"/CN={SIGNER}/", "-keyout", "-", "-out", "-"]
    done = subprocess.run([*command, *subject], check=True, capture_output=True, text=True)
    return done.stdout
