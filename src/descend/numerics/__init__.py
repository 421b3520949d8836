"""Facts about a loss that need no training: curvature and the learning rates it allows.

May import `record` and `errors` only.
"""
