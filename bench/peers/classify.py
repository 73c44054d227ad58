"""laco train classify --text text --label label --model "embed 64; lstm 128; pool mean; dense", in PyTorch."""
import csv

import torch
from torch import nn

import plain


class Network(nn.Module):
    def __init__(self, words, classes):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(words, 64), nn.LSTM(64, 128, batch_first=True)
        self.dense = nn.Linear(128, classes)

    def forward(self, x, lengths):
        h = plain.through(self.lstm, self.embed(x), lengths)
        inside = (torch.arange(h.shape[1]) < lengths[:, None]).unsqueeze(-1)
        return self.dense((h * inside).sum(1) / lengths[:, None])


a = plain.arguments(__doc__)
words, classes, examples = {}, {}, []
with open(a.data, newline="") as f:
    for row in csv.DictReader(f):
        ids = [words.setdefault(w, len(words)) for w in row["text"].split()]
        examples.append((ids, classes.setdefault(row["label"], len(classes))))
plain.rates(Network(len(words), len(classes)), nn.functional.cross_entropy, examples)
