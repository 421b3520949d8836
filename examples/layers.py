"""Gradients small enough to check on paper: python examples/layers.py

First the gradient of a mean, by autograd. Then one step of a network of two layers through descend: its record keeps that step in full,
so everything that the step computed can be read afterwards.
"""

import torch

import descend

x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
mean = (x**2 + 3).mean()
mean.backward()
print(f"mean of x² + 3: {mean.item()}")
print(f"its gradient 2x/4: {x.grad.tolist()}")

inputs, target = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[10.0]])
run = descend.train(
    (inputs, target), model="mlp", sizes=[2], optimizer="sgd", epochs=1, seed=0, gradients="by-hand", progress=False
)
with run.record() as record:
    step = record.tensors(1)
print(f"two hidden units after ReLU: {step['output.relu1'].tolist()}")
print(f"prediction: {step['output.output'].item():.4f}, squared error: {step['loss'].item():.5f}")
for name in ("hidden1.weight", "hidden1.bias", "output.weight", "output.bias"):
    print(f"gradient of {name}: {step[f'gradient.{name}'].tolist()}")
