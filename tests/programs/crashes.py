"""Training that ends in an error, in the way that the command line names."""

import sys

import torch


class Unlucky(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(3, 1)

    def forward(self, x):
        return self.layer(x)


torch.set_num_threads(1)
torch.manual_seed(0)
model = Unlucky()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
x, y = torch.randn(20, 3), torch.randn(20, 1)
for _ in range(3):
    optimizer.zero_grad()
    loss = ((model(x) - y) ** 2).mean()
    loss.backward()
    optimizer.step()
    print(loss.item())
how = sys.argv[1]
if how == "twice":
    loss.backward()
elif how == "shape":
    model(torch.randn(2, 5))
elif how == "chained":
    try:
        loss.backward()
    except RuntimeError as error:
        raise ValueError("told anew") from error
elif how == "group":
    raise ExceptionGroup("both", [KeyError("a"), ValueError("b")])
elif how == "hook":
    sys.excepthook = lambda kind, error, traceback: print("my hook", kind, error, traceback.tb_lineno, file=sys.stderr)
    raise ValueError("seen by the hook")
elif how == "exit":
    sys.exit(3)
elif how == "exit with words":
    sys.exit("that was all")
elif how == "exit at once":
    import os

    sys.stdout.flush()
    os._exit(4)
elif how == "interrupt":
    import os
    import signal

    os.kill(os.getpid(), signal.SIGINT)
    print("never printed")
elif how == "kill":
    import os
    import signal

    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
