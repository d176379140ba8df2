"""The configuration: its models, reading it from a file, and what goes with it (secrets, digest, reference page)."""
