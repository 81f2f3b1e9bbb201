"""What was measured, for people: plots."""
