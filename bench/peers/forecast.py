"""laco train forecast --id id --target y --horizon 12 --window 48 --model "lstm 64; dense", in PyTorch: stretches of up to
48 steps, of which the later half answers, each step all of the next 12."""
import csv

import torch
from torch import nn

import plain

HORIZON, WINDOW = 12, 48


class Network(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.dense = nn.LSTM(1, 64, batch_first=True), nn.Linear(64, HORIZON)

    def forward(self, x, lengths):
        return self.dense(plain.through(self.lstm, x, lengths))


def loss(y, right):
    counts = right > -1e8  # neither padding nor context
    return (y - right)[counts].abs().mean()


def stretches(y):
    for end in range(len(y) - HORIZON, 0, -WINDOW // 2):
        first = max(0, end - WINDOW)
        answers = y[first + 1:end + HORIZON].unfold(0, HORIZON, 1).clone()
        answers[:min(WINDOW // 2, (end - first) // 2)] = -1e9
        yield y[first:end, None], answers


a = plain.arguments(__doc__)
series, examples, steps = {}, [], 0
with open(a.data, newline="") as f:
    for row in csv.DictReader(f):
        series.setdefault(row["id"], []).append(float(row["y"]))
for y in series.values():
    y = torch.tensor(y)
    examples += stretches((y - y.mean()) / y.std())
    steps += len(y)
pad = plain.pad_sequence
plain.pad_sequence = lambda rows, first, value=0: pad(rows, first, value if value == 0 else -1e9)
plain.rates(Network(), loss, examples, steps)
