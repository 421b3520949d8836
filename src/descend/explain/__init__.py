"""One step worked out: every number from the batch to the updated weight, with its formula and with witnesses that it is right.

May import train, watch, models, data, numerics, record and errors. Nothing is trained and nothing is shown from here.
"""
