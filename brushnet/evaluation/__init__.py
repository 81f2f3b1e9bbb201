"""`brushnet evaluate`: the control curve of a trained model, and of other systems beside it."""
