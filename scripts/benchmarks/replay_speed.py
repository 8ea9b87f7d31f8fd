"""The rate of `zcap replay --rate max`, over that of programs in C that send as many messages.

    zcap       replays a capture whose files were read before
    constant   sender.c: frames sent in place from as much memory as the capture has, as messages
               that libzmq need not free; 33 bytes or less are copied
    copying    sender.c: zmq_send, which copies each frame

All send messages of two frames, 16 bytes and a payload, over TCP on the loopback interface to the
same receiver (subscriber.c), one after the other in an order that turns with each round. They are
timed there, from the first to the last message. What counts is the median of the ratios of a round.
The senders in C have the congestion control of the system, which is saved with the results: BBR
paces, and zcap takes it from such connections. A message or a byte that does not arrive ends the
benchmark."""

import shutil
import statistics
import sys

from rig import free_endpoint, warm

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
CONTENDERS = ["constant", "copying", "zcap"]
ROUNDS = 7
TOPIC_BYTES, TOPICS = 16, 4
# Payload: bytes of payload in the capture, one to two seconds of it.
BYTES = {64: 256 * MIB, KIB: GIB, 16 * KIB: 3 * GIB, 256 * KIB: 4 * GIB, 4 * MIB: 4 * GIB}
# Payload: least ratio to constant, and to copying where one is asked for.
TARGETS = {
    64: (0.95, 1.0), KIB: (0.95, None), 16 * KIB: (0.95, 1.1), 256 * KIB: (0.95, 1.3),
    4 * MIB: (0.95, None),
}


class Trial:
    """One capture, and what sends as much as it holds."""

    def __init__(self, rig, size, messages):
        self.rig, self.size, self.messages = rig, size, messages
        self.capture = rig.folder / "speed"
        shutil.rmtree(self.capture, ignore_errors=True)
        rig.record(self.capture, messages, size, TOPICS)
        self.bytes = sum(file.stat().st_size for file in self.segments())

    def segments(self):
        return self.capture.glob("segments/*.zseg")

    def run(self, contender):
        """Messages a second at the receiver."""
        if contender == "zcap":
            warm(self.segments())
            line = self.rig.replay(self.capture, 1, self.messages)
        else:
            line = self.send(contender)
        messages, size, seconds = line.split()
        expected = self.messages * (TOPIC_BYTES + self.size)
        if (int(messages), int(size)) != (self.messages, expected):
            sys.exit(
                f"bench: {contender}: {messages} messages and {size} bytes arrived, not"
                f" {self.messages} and {expected}")
        return self.messages / float(seconds)

    def send(self, how):
        endpoint = free_endpoint()
        receiver = self.rig.subscribe(endpoint, self.messages)
        sender = self.rig.start(
            self.rig.folder / "sender", how, endpoint, self.messages, self.size, self.bytes)
        line = self.rig.finish(receiver)
        self.rig.finish(sender)
        return line


def measure(rig, arguments):
    rounds = arguments.rounds or (1 if arguments.quick else ROUNDS)
    results = []
    print(f"{'':9}{'constant':>12}{'zcap / constant':>20}{'zcap / copying':>20}")
    for size in arguments.size or TARGETS:
        messages = BYTES[size] // size // (10 if arguments.quick else 1)
        trial = Trial(rig, size, messages)
        rates = {contender: [] for contender in CONTENDERS}
        for number in range(rounds):
            turn = number % len(CONTENDERS)
            for contender in CONTENDERS[turn:] + CONTENDERS[:turn]:
                rates[contender].append(trial.run(contender))
        shutil.rmtree(trial.capture)
        results.append(summarize(trial, rates))
        print_row(results[-1])
    return {"rounds": rounds, "targets": list(targets(results)), "results": results}


def summarize(trial, rates):
    summary = {
        "payload_bytes": trial.size, "messages": trial.messages, "capture_bytes": trial.bytes,
        "messages_per_second": {
            contender: [round(rate, 1) for rate in rates[contender]] for contender in CONTENDERS}}
    for other in ["constant", "copying"]:
        ratios = [mine / theirs for mine, theirs in zip(rates["zcap"], rates[other])]
        summary[f"over_{other}"] = {
            "median": round(statistics.median(ratios), 3),
            "min": round(min(ratios), 3), "max": round(max(ratios), 3)}
    return summary


def print_row(summary):
    cells = []
    for other in ["constant", "copying"]:
        ratio = summary[f"over_{other}"]
        cells.append(f"{ratio['median']:.2f} ({ratio['min']:.2f}-{ratio['max']:.2f})".rjust(20))
    rate = statistics.median(summary["messages_per_second"]["constant"])
    print(f"{size_text(summary['payload_bytes']):>9}{rate:>10.0f}/s", *cells, sep="", flush=True)


def targets(results):
    for summary in results:
        asked = dict(zip(["constant", "copying"], TARGETS[summary["payload_bytes"]]))
        for other, least in asked.items():
            if least is not None:
                ratio = summary[f"over_{other}"]["median"]
                yield {
                    "what": f"{size_text(summary['payload_bytes'])}: zcap / {other}",
                    "asked": f">= {least}", "measured": f"{ratio:.2f}", "reached": ratio >= least}


def size_text(size):
    for unit, name in [(MIB, "MiB"), (KIB, "KiB")]:
        if size >= unit:
            return f"{size // unit} {name}"
    return f"{size} B"
