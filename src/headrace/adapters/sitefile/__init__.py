"""Site files: TOML in, a checked `Site` out, every error named at once."""
