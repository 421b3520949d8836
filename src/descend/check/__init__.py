"""Finds the faults of a training in its record: a rule for each kind of fault, one file for each family of them.

May import numerics, record and errors; never PyTorch, so that a record is checked at once. Nothing is shown from here.
"""
