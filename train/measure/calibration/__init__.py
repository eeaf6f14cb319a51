"""What a model learns about itself from validation photos: the command `calibrate`, and a `fit_` file for each part."""
