"""DistributedDataParallel with two processes of its own."""

import os
import sys

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.nn.parallel import DistributedDataParallel


def train(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.manual_seed(0)
    model = DistributedDataParallel(nn.Linear(3, 1))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    torch.manual_seed(rank)
    for _ in range(3):
        optimizer.zero_grad()
        loss = ((model(torch.randn(8, 3)) - 1) ** 2).mean()
        loss.backward()
        optimizer.step()
        with open(f"rank{rank}.txt", "a") as file:
            print(loss.item(), file=file)
    with open(f"rank{rank}.txt", "a") as file:
        print(*(parameter.detach().numpy().tobytes().hex() for parameter in model.parameters()), file=file)
    dist.barrier()
    del model, optimizer, loss
    dist.destroy_process_group()


if __name__ == "__main__":
    mp.spawn(train, args=(os.getcwd(),), nprocs=2)
    os.remove("meeting") if os.path.exists("meeting") else None
    print("both have ended")
    sys.exit(0)
