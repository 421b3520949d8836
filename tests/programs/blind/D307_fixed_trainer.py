# silent: D307
"""Variational autoencoder on generated 6x6 pictures of crosses."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def crosses(n):
    g = torch.Generator().manual_seed(61)
    images = torch.zeros(n, 6, 6)
    for image in images:
        row, column = torch.randint(0, 6, (2,), generator=g).tolist()
        image[row, :] = 1
        image[:, column] = 1
    return images.flatten(1)


class VAE(nn.Module):
    def __init__(self, latent=4):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(36, 32), nn.ReLU(), nn.Linear(32, 2 * latent))
        self.decoder = nn.Sequential(nn.Linear(latent, 32), nn.ReLU(), nn.Linear(32, 36))

    def forward(self, image):
        mean, log_variance = self.encoder(image).chunk(2, dim=1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return self.decoder(z), mean, log_variance


class VAETrainer:
    def __init__(self, model, loader):
        self.model, self.loader = model, loader
        self.optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)

    def epoch(self):
        sums = [0.0, 0.0]
        for (image,) in self.loader:
            out, mean, log_variance = self.model(image)
            reconstruction = ((out - image) ** 2).sum(dim=1).mean()
            divergence = -0.5 * (1 + log_variance - mean**2 - log_variance.exp()).sum(dim=1).mean()
            loss = reconstruction + divergence
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
            sums[0] += reconstruction.item() * len(image)
            sums[1] += divergence.item() * len(image)
        return [s / len(self.loader.dataset) for s in sums]


torch.manual_seed(61)
trainer = VAETrainer(VAE(), DataLoader(TensorDataset(crosses(240)), batch_size=48, shuffle=True))
for epoch in range(16):
    reconstruction, divergence = trainer.epoch()
    print(f"epoch {epoch}: reconstruction {reconstruction:.1f}, divergence {divergence:.4f}")
