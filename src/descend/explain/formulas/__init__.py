"""Closed forms: for each operation its formula, its derivative, both evaluated in float64, and single entries with numbers put in.

A file is a family of operations; ``library.formula_of`` finds one by the name a record gives it. No derivative here calls
autograd. May import ``descend.errors`` only.
"""
