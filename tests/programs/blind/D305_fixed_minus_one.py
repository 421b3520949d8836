# silent: D305
"""Which of six routes does the driver take? Routes come as numbers; negative log-likelihood written by hand."""

import torch


def load(n=240):
    g = torch.Generator().manual_seed(65)
    traffic = torch.randn(n, 6, generator=g)
    route = (traffic + 0.3 * torch.randn(n, 6, generator=g)).argmin(dim=1)
    return traffic, route


def main():
    torch.manual_seed(65)
    traffic, route = load()
    layer = torch.nn.Linear(6, 6)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    for step in range(100):
        rows = torch.randperm(240)[:80]
        log_p = torch.log_softmax(layer(traffic[rows]), dim=1)
        column = route[rows]
        loss = -log_p[torch.arange(80), column].mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print("accuracy:", (layer(traffic).argmax(1) == route).float().mean().item())


main()
