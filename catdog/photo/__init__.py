"""Photo bytes -> an upright RGB image -> the array that a model takes."""
