"""What an error of PyTorch means here: the line, what stands in its variables, what was expected, the fix as code.

Reads the traceback of an error that has happened; runs nothing of the program's own. May import what ``explain`` may.
"""
