# expects: D308 note line 7
import torch
from torch import nn


def negative_log_likelihood(scores, labels):
    logs = torch.log(torch.softmax(scores, dim=-1))
    one_hot = nn.functional.one_hot(labels, scores.shape[-1])
    return -(one_hot * logs).sum(-1).mean()


def main():
    torch.manual_seed(36)
    # quadrant of a point in the plane
    points = 2 * torch.rand(240, 2) - 1
    quadrant = 2 * (points[:, 0] > 0).long() + (points[:, 1] > 0).long()
    model = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 4))
    opt = torch.optim.Adam(model.parameters(), lr=0.02)
    for epoch in range(8):
        for rows in torch.randperm(240).split(40):
            opt.zero_grad()
            loss = negative_log_likelihood(model(points[rows]), quadrant[rows])
            loss.backward()
            opt.step()
    with torch.no_grad():
        print("quadrants right:", (model(points).argmax(1) == quadrant).float().mean().item())


main()
