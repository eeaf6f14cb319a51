"""Photo files -> upright RGB images -> the arrays that models take. Knows nothing of models or specs."""
