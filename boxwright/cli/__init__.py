"""The `boxwright` command: a comfort over pyinfra, never a requirement."""
