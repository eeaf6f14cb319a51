"""A network and its data -> a trained model, and the record of how it was trained."""
