"""Server: llama-server behind a systemd unit, healthy, resident in memory, and measured."""
