"""A file of Keras, of whatever version -> a model. What a file is, is found out without running any of it."""
