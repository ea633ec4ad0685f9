"""The tuning role: host settings that inference needs, each in a file of its own."""
