"""A DataLoader with two worker processes, started the way that the command line names."""

import os
import random
import sys

import torch
from torch.utils.data import DataLoader, Dataset


class Squares(Dataset):
    def __len__(self):
        return 24

    def __getitem__(self, index):
        assert torch.utils.data.get_worker_info() is not None
        return torch.tensor([float(index)]), torch.tensor([index**2 + torch.rand(()).item() + random.random() * 0])


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    loader = DataLoader(Squares(), 8, shuffle=True, num_workers=2, multiprocessing_context=sys.argv[1])
    model = torch.nn.Linear(1, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-4)
    for epoch in range(2):
        for x, y in loader:
            loss = torch.nn.functional.mse_loss(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            print(epoch, x.flatten().tolist(), loss.item())
    print(*(parameter.detach().numpy().tobytes().hex() for parameter in model.parameters()))


if __name__ == "__main__":
    assert os.getpid()
    main()
else:
    print(__name__, file=open("child.txt", "w"))
