# silent: D501
import torch

# melting point of an alloy from the shares of four metals
torch.manual_seed(110)
mix = torch.distributions.Dirichlet(torch.ones(4)).sample((320,))
melting = mix @ torch.tensor([660.0, 1085.0, 1538.0, 232.0]) - 300 * mix[:, 0] * mix[:, 1]
melting = ((melting - melting.mean()) / melting.std())[:, None]
x, y, new_x, new_y = mix[:260], melting[:260], mix[260:], melting[260:]

net = torch.nn.Sequential(
    torch.nn.Linear(4, 32),
    torch.nn.BatchNorm1d(32),
    torch.nn.ReLU(),
    torch.nn.Linear(32, 1),
)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

for epoch in range(12):
    net.train()
    for rows in torch.randperm(260).split(52):
        loss = torch.nn.functional.mse_loss(net(x[rows]), y[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    net.eval()
    with torch.inference_mode():
        out = net(new_x)
        error = torch.nn.functional.mse_loss(out, new_y)
    if epoch % 4 == 3:
        print("epoch", epoch, "error on new alloys", error.item())
