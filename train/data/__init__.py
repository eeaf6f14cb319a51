"""Photos -> clean, labelled, augmented batches."""
