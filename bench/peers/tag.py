"""laco train tag --head softmax --model "tokens 64; lstm 128 bidirectional; dense", in PyTorch."""
from torch import nn

import plain


class Network(nn.Module):
    def __init__(self, words, tags):
        super().__init__()
        self.embed, self.lstm = nn.Embedding(words, 64), nn.LSTM(64, 128, batch_first=True, bidirectional=True)
        self.dense = nn.Linear(256, tags)

    def forward(self, x, lengths):
        return self.dense(plain.through(self.lstm, self.embed(x), lengths))


def loss(y, tags):
    return nn.functional.cross_entropy(y.flatten(0, 1), tags.flatten(), ignore_index=-1)


a = plain.arguments(__doc__)
words, tags, examples, sentence = {}, {}, [], ([], [])
with open(a.data) as f:
    for line in f:
        if line.strip():
            word, tag = line.split()
            sentence[0].append(words.setdefault(word, len(words)))
            sentence[1].append(tags.setdefault(tag, len(tags)))
        elif sentence[0]:
            examples.append(sentence)
            sentence = ([], [])
plain.rates(Network(len(words), len(tags)), loss, examples)
