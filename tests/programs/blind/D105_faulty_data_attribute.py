# expects: D105 likely line 14
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


class Autoencoder(nn.Module):
    def __init__(self, n_in, n_code):
        super().__init__()
        self.encode = nn.Sequential(nn.Linear(n_in, 12), nn.ReLU(), nn.Linear(12, n_code))
        self.decode = nn.Sequential(nn.Linear(n_code, 12), nn.ReLU(), nn.Linear(12, n_in))

    def forward(self, x):
        code = self.encode(x).data
        return self.decode(code), code


def main(epochs=5):
    torch.manual_seed(17)
    curves = torch.stack([torch.sin(torch.arange(20) * f) for f in torch.linspace(0.1, 1.0, 180)])
    loader = DataLoader(TensorDataset(curves), batch_size=36, shuffle=True)
    ae = Autoencoder(20, 3)
    optim = torch.optim.Adam(ae.parameters(), lr=5e-3)
    for epoch in range(epochs):
        for (batch,) in loader:
            rebuilt, _ = ae(batch)
            loss = ((rebuilt - batch) ** 2).mean()
            optim.zero_grad()
            loss.backward()
            optim.step()
        print(epoch, loss.item())


main()
