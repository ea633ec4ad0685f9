"""This machine itself, without SSH; run as root, or as a user who may sudo without a password."""

import os as _os

local = [("@local", {"_sudo": _os.geteuid() != 0})]
