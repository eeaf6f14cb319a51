"""Speed and memory of catdog, beside the plain way of doing the same: `python -m benchmarks`.

Both take turns in the same minutes on the same cores, so read the ratios. Speed is checked here and nowhere else:
tests hold that answers are right, never that they are fast.
"""
