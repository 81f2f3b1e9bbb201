"""Video in, painted video out, in constant memory. Imports nothing by itself, so that options fail fast."""
