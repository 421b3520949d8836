"""What PyTorch's names and their usual arguments mean, in words for a beginner, for daily use, and in the fewest possible.

The words stand in the TOML files beside this one, a file for each family. May import ``errors``; torch is not needed.
"""
