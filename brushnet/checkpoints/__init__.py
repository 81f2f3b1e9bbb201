"""Training checkpoints as files: sealed with a digest, written whole, the newest good one found. Never trusted."""
