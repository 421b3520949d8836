"""Training: the recipe, the step, the two ways to a gradient, the optimizers, the loop and its metrics.

May import `models`, `data`, `numerics`, `record` and `errors`; what it does is told to listeners through `record.events`.
"""
