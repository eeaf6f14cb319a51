"""Make, measure and publish the models."""
