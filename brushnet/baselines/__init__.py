"""The classic methods that a trained model is compared with: moments, pyramid, features."""
