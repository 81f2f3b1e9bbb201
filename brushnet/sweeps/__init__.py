"""Sweeps: from axes to jobs with names of their own, what became of each, and what runs them."""
