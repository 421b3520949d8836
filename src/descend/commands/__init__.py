"""The commands, a file for each group of them: what was typed becomes a call of the rooms below, and the answer is printed.

May import every room below. PyTorch is imported inside a command only, so that help answers at once.
"""
