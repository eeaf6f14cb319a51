"""What catdog costs, beside the plain way of doing the same: `python -m benchmarks`.

Both run in the same minutes on the same cores, in turns, and the figures to read are their ratios. Aims are
checked here and nowhere else: tests hold that answers are right, never that they are fast.
"""
