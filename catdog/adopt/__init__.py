"""A Keras model from elsewhere and a few labelled photos -> an `.h5` and a spec to serve beside the others."""
