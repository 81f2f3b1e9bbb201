"""Distillation: a narrow loss network that tells styles apart as its teacher, a real VGG, does."""
