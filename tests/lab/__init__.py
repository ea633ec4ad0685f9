"""The lab: real systemd hosts with pretended hardware, and the servers they download from."""
