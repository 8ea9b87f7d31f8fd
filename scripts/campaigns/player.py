"""What the parts of a campaign share: a replay that runs, its control socket, who listens to it."""

import itertools
import json
import subprocess
import threading

import zmq

GRACE_MILLISECONDS = 200
ANSWER_MILLISECONDS = 20_000


class Broken(Exception):
    """A promise that was not kept."""


class Replay:
    """A `zcap replay` of a capture. `end` tells how it ended: its exit code (None where it did not
    end), its summary, and what it complained about."""

    def __init__(self, rig, capture, endpoint, subscribers, *options):
        self.rig, self.capture = rig, capture
        self.child = rig.start(
            rig.zcap, "replay", capture, "--bind", endpoint, "--wait-subscribers", subscribers,
            "--wait-timeout", "30s", "--json", *options,
            environment={"SWIFT_BACKTRACE": "enable=no"})

    def is_running(self):
        return self.child.poll() is None

    def wait_for_begin(self):
        """Its sockets are bound then."""
        self.child.stdout.readline()

    def end(self, seconds=60):
        try:
            output, errors = self.child.communicate(timeout=seconds)
            self.code = self.child.returncode
        except subprocess.TimeoutExpired:
            self.child.kill()
            output, errors = self.child.communicate()
            self.code = None
        self.rig.children.remove(self.child)
        rows = [json.loads(line) for line in output.splitlines()]
        self.summary = next((row for row in rows if row["event"] == "summary"), None)
        self.complaints = [line for line in errors.splitlines() if line.startswith("zcap: ")]
        return self

    def end_well(self, messages):
        """Waits for it to send so many messages and to end as it should. Returns its summary."""
        self.end()
        if self.code != 0:
            raise Broken(f"the replay {self.outcome()}: {' / '.join(self.complaints)}")
        if self.summary["messages"] != messages:
            raise Broken(f"the replay told of {self.summary['messages']} messages, not {messages}")
        return self.summary

    def outcome(self):
        if self.code is None:
            return "did not end"
        return f"died of signal {-self.code}" if self.code < 0 else f"ended with {self.code}"


class Control:
    """The control socket of a replay."""

    def __init__(self, endpoint):
        self.socket = zmq.Context.instance().socket(zmq.REQ)
        self.socket.set(zmq.LINGER, 0)
        self.socket.set(zmq.RCVTIMEO, ANSWER_MILLISECONDS)
        self.socket.connect(endpoint)

    def ask(self, verb, **fields):
        """Waits until it was obeyed. Returns how the replay stood then."""
        self.send(verb, **fields)
        return self.receive()

    def send(self, verb, **fields):
        self.socket.send_json({"do": verb, **fields})

    def receive(self):
        try:
            answer = self.socket.recv_json()
        except zmq.Again:
            raise Broken("the control socket does not answer") from None
        if not answer["ok"]:
            raise Broken(f"the control socket answered {answer}")
        return answer

    def close(self):
        self.socket.close()


class Listener(threading.Thread):
    """Keeps what arrives at a socket until `finish`."""

    def __init__(self, open_socket, keep=lambda frames: frames):
        """`open_socket` is called on the thread; `keep` makes of frames what is kept."""
        super().__init__(daemon=True)
        self.open_socket, self.keep = open_socket, keep
        self.kept = []
        self.is_over = threading.Event()
        self.start()

    def run(self):
        socket = self.open_socket()
        while True:
            is_over = self.is_over.is_set()
            if socket.poll(GRACE_MILLISECONDS if is_over else 20):
                self.take(socket)
            elif is_over:
                break
        socket.close(0)

    def take(self, socket):
        """All that is there."""
        while True:
            try:
                self.kept.append(self.keep(socket.recv_multipart(zmq.NOBLOCK)))
            except zmq.Again:
                return

    def finish(self):
        """Waits until nothing comes any more. Returns what was kept."""
        self.is_over.set()
        self.join()
        return self.kept


def subscriber(endpoint, queue=0):
    """A connected SUB that takes everything; its queue is without limit for 0."""
    socket = zmq.Context.instance().socket(zmq.SUB)
    socket.set(zmq.RCVHWM, queue)
    socket.subscribe(b"")
    socket.connect(endpoint)
    return socket


def fault(received, expected):
    """Where messages that came are not those that should have; None where they are."""
    if received == expected:
        return None
    pairs = enumerate(itertools.zip_longest(received, expected))
    index = next(index for index, (came, due) in pairs if came != due)
    if index == len(received):
        return f"nothing came behind message {index} of {len(expected)}"
    came = received[index]
    what = f"number {expected.index(came)}" if came in expected else "no message of the capture"
    return f"message {index} of {len(expected)} was {what}; {len(received)} came"
