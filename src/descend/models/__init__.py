"""The models: linear, softmax, mlp and cnn, a class from the user's own file, their initial values, and the model folder.

May import ``data``, ``numerics``, ``record`` and ``errors``. Nothing is imported eagerly: ``architecture`` needs no torch.
"""
