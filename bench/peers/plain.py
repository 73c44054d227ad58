"""What the peers of the tasks share: PyTorch as its users write it, sequences padded and packed, Adam, a clipped norm.

A peer prints {"train":…, "predict":…}: steps (words, or steps of series) per second, the best of EPOCHS passes. Reading
its file is not counted, in laco's figures it is."""
import argparse
import json
import time

import torch
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence, pad_sequence

EPOCHS, BATCH = 2, 32


def arguments(what):
    p = argparse.ArgumentParser(description=what)
    p.add_argument("data")
    p.add_argument("--threads", type=int, default=1)
    a = p.parse_args()
    torch.set_num_threads(a.threads)
    torch.manual_seed(1)
    return a


def through(lstm, x, lengths):
    """The outputs of an LSTM over padded sequences [B][T][.]."""
    packed = pack_padded_sequence(x, lengths, batch_first=True, enforce_sorted=False)
    return pad_packed_sequence(lstm(packed)[0], batch_first=True)[0]


def batches(examples, shuffled):
    """Padded batches of (input, answer) with their lengths."""
    order = torch.randperm(len(examples)).tolist() if shuffled else range(len(examples))
    for i in range(0, len(examples), BATCH):
        rows = [examples[j] for j in order[i:i + BATCH]]
        lengths = torch.tensor([len(r[0]) for r in rows])
        x, y = ([torch.as_tensor(r[k]) for r in rows] for k in (0, 1))
        yield pad_sequence(x, True), pad_sequence(y, True, -1) if y[0].dim() else torch.stack(y), lengths


def steps_per_second(steps, run):
    best = float("inf")
    for _ in range(EPOCHS):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return steps / best


def rates(network, loss, examples, steps=None):
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    steps = steps or sum(len(x) for x, _ in examples)

    def train():
        for x, y, lengths in batches(examples, True):
            optimizer.zero_grad()
            loss(network(x, lengths), y).backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
            optimizer.step()

    def predict():
        with torch.no_grad():
            for x, _, lengths in batches(examples, False):
                network(x, lengths).argmax(-1).tolist()

    print(json.dumps({"train": steps_per_second(steps, train), "predict": steps_per_second(steps, predict)}))
