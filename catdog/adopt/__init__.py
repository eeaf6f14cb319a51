"""Somebody's model and a few labelled photos -> an `.h5` and a spec that can be served beside the others."""
