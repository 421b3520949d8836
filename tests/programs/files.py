"""Relative files, another current folder, a fork, and files deleted: all of it the script's own business."""

import os
import sys

import torch

torch.set_num_threads(1)
torch.manual_seed(0)
with open("data.txt", "w") as file:
    file.write("1 2 3")
os.makedirs("below")
os.chdir("below")
with open("../data.txt") as file:
    x = torch.tensor([float(word) for word in file.read().split()])
w = torch.zeros(1, requires_grad=True)
for _ in range(3):
    loss = ((x * w - 2 * x) ** 2).mean()
    loss.backward()
    with torch.no_grad():
        w -= 0.1 * w.grad
    w.grad = None
    print(loss.item(), flush=True)
child = os.fork()
if child == 0:
    for _ in range(2):
        loss = ((x * w - 2 * x) ** 2).mean()
        loss.backward()
        with torch.no_grad():
            w -= 0.1 * w.grad
        w.grad = None
    print("child", loss.item())
    sys.exit(5)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
torch.save(w, "w.pt")
os.remove("../data.txt")
os.chdir("..")
print(sorted(os.listdir(".")), w.item())
sys.stdout = open("rest.txt", "w")
sys.stderr = open("errors.txt", "w")
print("to a file")
