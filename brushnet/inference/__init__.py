"""Photos in, paintings out: what `brushnet stylize` does. Imports nothing by itself, so that options fail fast."""
