# silent: D701
"""Draw a map of ten towns from the distances between them."""

import torch


def pairwise(position):
    difference = position[:, None] - position[None, :]
    squared = difference.pow(2).sum(dim=-1)
    return (squared + 1e-9).sqrt()


def main():
    torch.manual_seed(202)
    towns = 10 * torch.rand(10, 2)
    wanted = torch.cdist(towns, towns)
    position = torch.nn.Parameter(torch.randn(10, 2))
    optimizer = torch.optim.Adam([position], lr=0.3)
    for step in range(80):
        optimizer.zero_grad()
        stress = (pairwise(position) - wanted).pow(2).mean()
        stress.backward()
        optimizer.step()
        if step % 20 == 0:
            print(f"step {step}: stress {stress.item():.4f}")


if __name__ == "__main__":
    main()
