"""The preflight role: may and can this host be served; it changes nothing."""
