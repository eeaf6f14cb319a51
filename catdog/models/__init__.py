"""What a model is and where it comes from: its spec, its files, its error rates and thresholds."""
