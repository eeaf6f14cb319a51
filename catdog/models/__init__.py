"""What a model is and where it comes from: its spec, its files, and what it knows about itself."""
