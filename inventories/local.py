"""This machine itself, without SSH; run as root, or as a user who may sudo without a password.

A driver that has to be loaded by a reboot is left to you: a run does not reboot its own machine.
"""

import os as _os

local = [("@local", {"_sudo": _os.geteuid() != 0})]
