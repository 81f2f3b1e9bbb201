"""`brushnet probe`: the layer probe, and what practitioners repeat of stroke scale, tested by it and by paintings."""
