"""What the peers in Python share: rows from standard input, timing, peak memory, an answer a line.

Every line is SECONDS ROW; the answer {"us":…,"spread_percent":…,"memory_bytes":…,"note":…} or {"absent":"why"}. Each
runs in a process of its own, forked before the library has done anything, so that nothing is left over from the last.
"""
import json
import os
import sys
import time

SHORTEST, SAMPLES = 1e-4, 256


class Row:
    """kind (train, infer, stream, lm), cell (or which language model), and the sizes I, H, B, T."""

    def __init__(self, text):
        self.text = text
        self.kind, self.cell, *sizes = text.split()
        sizes = [int(x) for x in sizes[0].split(",")] if sizes else [0, 0, 0, 0]
        self.I, self.H, self.B, self.T = sizes if len(sizes) == 4 else (sizes[0], sizes[0], 1, 1)


def status(what):
    with open("/proc/self/status") as lines:
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(what)), 0)


def forget_peak():
    """From here on VmHWM counts anew, where the system allows that."""
    try:
        with open("/proc/self/clear_refs", "w") as f:
            f.write("5")
    except OSError:
        pass


def time_of(run, calls):
    start = time.perf_counter()
    for _ in range(calls):
        run()
    return (time.perf_counter() - start) / calls


def measure(run, seconds):
    """Seconds of a run: the median, and half the distance of the quarters in %."""
    calls = 1
    while time_of(run, calls) * calls < min(SHORTEST, seconds):
        calls *= 2
    samples, end = [], time.perf_counter() + seconds
    while not samples or (len(samples) < SAMPLES and time.perf_counter() < end):
        samples.append(time_of(run, calls))
    samples.sort()
    n = len(samples)
    return samples[n // 2], 50 * (samples[n * 3 // 4] - samples[n // 4]) / samples[n // 2]


def best_of(runs, seconds):
    """The fastest of several ways {name: run}, tried for a short while each."""
    if len(runs) == 1:
        return next(iter(runs.items()))
    return min(runs.items(), key=lambda named: measure(named[1], seconds / 8)[0])


def answer(row, seconds, warm_up, prepare):
    warm_up(row)
    forget_peak()
    before = status("VmRSS:")
    runs = prepare(row)
    if not runs:
        return {"absent": "no such row"}
    name, run = best_of(runs, seconds)
    seconds_of_run, spread = measure(run, seconds)
    return {"us": seconds_of_run * 1e6, "spread_percent": spread, "memory_bytes": status("VmHWM:") - before,
            "note": name}


def serve(warm_up, prepare):
    """warm_up(row) loads what any row of this kind needs; prepare(row): {name: function to time}, {} for none."""
    for line in sys.stdin:
        seconds, text = line.split(maxsplit=1)
        sys.stdout.flush()
        child = os.fork()
        if not child:
            try:
                result = answer(Row(text.strip()), float(seconds), warm_up, prepare)
            except Exception as e:  # a peer that fails is a peer that is absent
                result = {"absent": "%s: %s" % (type(e).__name__, str(e).splitlines()[0] if str(e) else "")}
            os.write(1, (json.dumps(result) + "\n").encode())
            os._exit(0)
        _, code = os.waitpid(child, 0)
        if code:
            os.write(1, (json.dumps({"absent": "ended with status %d" % code}) + "\n").encode())
