"""A finished model -> figures: accuracy, calibration, robustness, heat maps."""
