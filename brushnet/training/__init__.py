"""Training: the objective, its style targets, the Lightning module, callbacks and the run."""
