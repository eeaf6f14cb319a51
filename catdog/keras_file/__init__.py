"""A file of any version of Keras -> a model, without running any code that is in the file."""
