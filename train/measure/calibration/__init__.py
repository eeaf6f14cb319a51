"""What a model learns about itself from validation photos; the command is `calibrate`, and each `fit_` file one part."""
