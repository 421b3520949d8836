"""A run put into words of PyTorch: the plain script that does the same training and gives the same losses.

`script` begins; `facts`, `rows`, `model` and `steps` each write a part. May import what `train` may; nothing is imported eagerly.
"""
