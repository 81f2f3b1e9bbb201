"""Measuring stroke scale: painted ground truth, matched scale, control curves."""
