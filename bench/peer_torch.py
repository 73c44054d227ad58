"""PyTorch: nn.LSTM, nn.GRU, nn.RNN with all gradients; inference; one step, the fastest of several ways to call it;
two language models with Adam. --version tells the version. Threads: OMP_NUM_THREADS, OPENBLAS_NUM_THREADS."""
import os
import sys
import warnings

import torch
from torch import nn

import peer

warnings.filterwarnings("ignore")
LAYER = {"lstm": nn.LSTM, "gru": nn.GRU, "elman": nn.RNN}
CELL = {"lstm": nn.LSTMCell, "gru": nn.GRUCell, "elman": nn.RNNCell}
ONE_STEP = {"lstm": torch._VF.lstm_cell, "gru": torch._VF.gru_cell, "elman": torch._VF.rnn_tanh_cell}
LM = {"char": dict(V=65, E=64, H=256, B=64, T=64), "word": dict(V=10000, E=200, H=200, B=20, T=35)}


def train(cell, I, H, B, T):
    layer = LAYER[cell](I, H)
    x, dy = torch.randn(T, B, I, requires_grad=True), torch.randn(T, B, H) * 0.01
    leaves = [x, *layer.parameters()]

    def run():
        for leaf in leaves:
            leaf.grad = None
        layer(x)[0].backward(dy)

    return {"nn": run}


def infer(cell, I, H, B, T):
    layer, x = LAYER[cell](I, H).eval(), torch.randn(T, B, I)

    def run():
        with torch.inference_mode():
            layer(x)

    return {"nn": run}


def stream(cell, H):
    """A loop that streams switches gradients off once, not at every step."""
    torch.autograd.set_grad_enabled(False)
    layer, one, x = LAYER[cell](H, H).eval(), CELL[cell](H, H).eval(), torch.randn(1, 1, H)
    h = torch.zeros(1, H)
    state = (h, h) if cell == "lstm" else h
    deep = (h[None], h[None]) if cell == "lstm" else h[None]
    weights = (one.weight_ih, one.weight_hh, one.bias_ih, one.bias_hh)
    traced, call, x1 = torch.jit.trace(one, (x[0], state)), ONE_STEP[cell], x[0]
    ways = {"nn": lambda: layer(x, deep), "cell": lambda: one(x1, state), "jit": lambda: traced(x1, state),
            "_VF cell": lambda: call(x1, state, *weights)}
    if cell == "lstm":
        flat = layer._flat_weights
        ways["_VF.lstm"] = lambda: torch._VF.lstm(x, deep, flat, True, 1, 0.0, False, False, False)
    return ways


class Model(nn.Module):
    def __init__(self, V, E, H):
        super().__init__()
        self.embed, self.lstm, self.out = nn.Embedding(V, E), nn.LSTM(E, H, 2), nn.Linear(H, V)

    def forward(self, x, state):
        y, state = self.lstm(self.embed(x), state)
        return self.out(y), state


def adam(parameters):
    try:
        return torch.optim.Adam(parameters, lr=1e-3, fused=True)
    except (TypeError, RuntimeError):  # older versions have none for the processor
        return torch.optim.Adam(parameters, lr=1e-3)


def language_model(V, E, H, B, T):
    model, loss = Model(V, E, H), nn.CrossEntropyLoss()
    optimizer = adam(list(model.parameters()))
    text = torch.randint(V, (T + 1, B))
    state = [(torch.zeros(2, B, H), torch.zeros(2, B, H))]

    def run():
        optimizer.zero_grad(set_to_none=True)
        y, new = model(text[:-1], state[0])
        loss(y.reshape(-1, V), text[1:].reshape(-1)).backward()
        optimizer.step()
        state[0] = tuple(s.detach() for s in new)

    return {"fused" if optimizer.defaults.get("fused") else "loop": run}


def prepare(row):
    if row.kind == "lm":
        return language_model(**LM[row.cell])
    if row.cell not in LAYER:
        return {}
    if row.kind == "stream":
        return stream(row.cell, row.H)
    return {"train": train, "infer": infer}[row.kind](row.cell, row.I, row.H, row.B, row.T)


def warm_up(row):
    """Loads the code, and starts the threads, so that neither counts as memory of the work."""
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    if row.kind == "lm":
        ways = language_model(V=9, E=8, H=8, B=2, T=2)
    elif row.kind == "stream":
        ways = infer("lstm", 8, 8, 1, 1)  # not its own ways: those switch gradients off
    else:
        ways = train(row.cell, 8, 8, 2, 2)
    for run in ways.values():
        run()
    torch.mm(torch.ones(128, 128), torch.ones(128, 128))


if sys.argv[1:] == ["--version"]:
    print(torch.__version__)
else:
    peer.serve(warm_up, prepare)
