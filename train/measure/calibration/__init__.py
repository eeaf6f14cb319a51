"""The command `calibrate`, which fits error rates and thresholds on validation photos, each in a `fit_` file."""
