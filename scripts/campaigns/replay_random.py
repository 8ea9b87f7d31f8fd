"""Whatever a replay is told at whatever moment, no message is missing, doubled or reordered.

A capture with bursts and silences is played in a loop; its control socket gets verbs at random:
pause, resume, rate, step, and seeks to absolute and relative places, while it plays and while it is
paused. A subscriber keeps the number of each message that comes. In the end that is compared with a
model of the timeline, which knows of each seek how many messages had been sent before it: exactly
where it was paused, and else at least and at most how many. In between the numbers follow one
another, the first behind the last; at a seek, and nowhere else, they go on with the first message
at or behind the sought place. While it is paused nothing is sent but what steps ask for."""

import array
import bisect
import collections
import time

from numbered import Traffic, number_of
from player import Broken, Control, Listener, Replay, subscriber
from recorded import record
from rig import free_endpoint

MINUTES, MINUTES_QUICK = 10, 0.1
TIMELINE_SECONDS, TIMELINE_SECONDS_QUICK = 20, 4
PAYLOAD_BYTES, TOPICS = 64, 7
ARRIVAL_SECONDS, STEP_SECONDS = 20, 5


def room(arguments):
    return 1 << 30


def minutes(arguments):
    return arguments.minutes or (MINUTES_QUICK if arguments.quick else MINUTES)


def seconds_max(arguments):
    return int(60 * minutes(arguments)) + 300


def run(rig, arguments, chance):
    seconds = TIMELINE_SECONDS_QUICK if arguments.quick else TIMELINE_SECONDS
    recorded = record(
        rig, rig.folder / "random", uneven(chance, seconds), Traffic(PAYLOAD_BYTES, TOPICS),
        options=["--segment-size", "256KiB"])
    endpoint, control = free_endpoint(), f"ipc://{rig.folder}/control"
    replay = Replay(rig, rig.folder / "random", endpoint, 1, "--loop", "--control", control)
    listener = Listener(lambda: subscriber(endpoint), keep=number_of)
    driver = Driver(Control(control), chance, recorded)
    driver.drive(60 * minutes(arguments))
    wait_for(listener, driver.messages)
    driver.control.ask("stop")
    driver.control.close()
    replay.end_well(driver.messages)
    numbers = listener.finish()
    if len(numbers) != driver.messages:
        raise Broken(f"{len(numbers)} messages came, {driver.messages} were sent")
    Model(recorded.times).check(numbers, driver.seeks)
    print(
        f"random: {60 * minutes(arguments):.0f} s, {driver.verbs} verbs, {len(driver.seeks)} of"
        f" them seeks, {len(numbers)} messages: 0 missing, doubled or reordered")


def uneven(chance, seconds):
    """Times of messages with bursts and silences, about 500 a second."""
    times, now = array.array("q"), 0.0
    while now < seconds:
        times.append(round(now * 1e9))
        kind = chance.random()
        if kind > 0.999:
            now += chance.uniform(0.2, 1.2)
        elif kind > 0.4:
            now += chance.expovariate(500)
    return times


def wait_for(listener, count):
    deadline = time.monotonic() + ARRIVAL_SECONDS
    while len(listener.kept) < count:
        if time.monotonic() > deadline:
            raise Broken(f"{len(listener.kept)} messages came, {count} were sent")
        time.sleep(0.01)


# A seek: how many messages had been sent before it, at least and at most; the place that was sought
# or else how far from where it was, and where it told to be then, if it was paused. In nanoseconds.
Seek = collections.namedtuple("Seek", "least most place distance told")


class Driver:
    """Tells a replay at random what to do, and writes down where it was told to seek."""

    def __init__(self, control, chance, recorded):
        self.control, self.chance, self.recorded = control, chance, recorded
        self.is_paused = False
        self.messages = self.verbs = 0
        self.seeks = []

    def ask(self, verb, **fields):
        answer = self.control.ask(verb, **fields)
        self.messages = answer["messages"]
        self.verbs += verb != "status"
        return answer

    def drive(self, seconds):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.chance.choices(
                [self.pause, self.resume, self.rate, self.step, self.seek],
                weights=[2, 3, 2, 1, 4])[0]()
            if self.chance.random() < 0.7:
                time.sleep(self.chance.uniform(0, 0.2))
        self.pause()

    def pause(self):
        self.ask("pause")
        self.is_paused = True
        self.expect_silence()

    def expect_silence(self):
        before = self.messages
        time.sleep(0.005)
        if self.ask("status")["messages"] != before:
            raise Broken(f"{self.messages - before} messages were sent while it was paused")

    def resume(self):
        self.ask("resume")
        self.is_paused = False

    def rate(self):
        self.ask("rate", rate=10 ** self.chance.uniform(-1, 2))

    def step(self):
        if not self.is_paused:
            self.pause()
        count = self.chance.choice([1, 1, self.chance.randint(2, 300)])
        due = self.messages + count
        self.ask("step", messages=count)
        if self.chance.random() < 0.3:
            self.seek()
        deadline = time.monotonic() + STEP_SECONDS
        while self.messages < due and time.monotonic() < deadline:
            self.ask("status")
        self.expect_silence()
        if self.messages != due:
            raise Broken(f"{count} steps sent {self.messages - due + count} messages")

    def seek(self):
        place, distance = None, None
        if self.chance.random() < 0.5:
            place = self.choose_place()
            fields = {"position_s": place / 1e9}
        else:
            distance = round(self.chance.gauss(0, 0.2) * self.recorded.times[-1])
            fields = {"by_s": distance / 1e9}
        least = self.ask("status")["messages"]
        answer = self.ask("seek", **fields)
        # Steps that are under way move on at once.
        is_still = self.is_paused and self.ask("status")["messages"] == least
        told = round(answer["position_s"] * 1e9) if is_still else None
        self.seeks.append(Seek(least, answer["messages"], place, distance, told))

    def choose_place(self):
        """Anywhere; at a message, next to it; before the beginning, behind the end."""
        times = self.recorded.times
        kind = self.chance.random()
        if kind < 0.5:
            return round(self.chance.uniform(0, times[-1]))
        if kind < 0.8:
            return self.chance.choice(times) + self.chance.choice([-1, 0, 1])
        if kind < 0.9:
            return times[-1] + self.chance.choice([-1_000_000, 0, 1, 10**9])
        return self.chance.choice([-10**9, 0])


# What a replay plays next, and where it was last: between `low` and `high`.
State = collections.namedtuple("State", "next low high")


class Model:
    """The states in which a replay may be, by all that is known of it: often several, until what
    comes next tells which it was; none where something came that should not have."""

    def __init__(self, times):
        self.times = times
        self.states = {State(0, 0, 0)}

    def check(self, numbers, seeks):
        begin = 0
        for seek in seeks:
            self.play(numbers, begin, seek.least)
            window = numbers[seek.least:seek.most]
            ends = {end for state in self.states for end in self.through(state, seek, window)}
            if not ends:
                raise Broken(self.jump_text(seek, window))
            self.states, begin = ends, seek.most
        self.play(numbers, begin, len(numbers))

    def play(self, numbers, begin, end):
        states = {self.follow(state, numbers[begin:end]) for state in self.states} - {None}
        if not states:
            raise Broken(self.fault_text(numbers, begin, end))
        self.states = states

    def follow(self, state, numbers):
        """The state behind messages; None where others are due."""
        due, count = state.next, len(self.times)
        for number in numbers:
            if number != due:
                return None
            due += 1
            if due == count:
                due = 0
        if not numbers:
            return state
        return State(due, self.times[numbers[-1]], self.times[numbers[-1]])

    def through(self, state, seek, numbers):
        """The states behind messages among which there was a seek, or at an end of which."""
        for index in range(len(numbers) + 1):
            for landed in self.landings(state, seek):
                end = self.follow(landed, numbers[index:])
                if end:
                    yield end
            state = self.follow(state, numbers[index:index + 1])
            if not state:
                return

    def landings(self, state, seek):
        """Where a seek goes on."""
        low = high = seek.place
        if seek.place is None:
            # It is somewhere between the last message and the next one.
            low = state.low + seek.distance
            high = max(state.high, self.times[state.next]) + seek.distance
        # No further than behind the last message.
        low, high = (min(max(0, time), self.times[-1] + 1) for time in (low, high))
        if seek.told is not None:
            if not low <= seek.told <= high:
                return
            low = high = seek.told
        for index in range(self.first_at(low), self.first_at(high) + 1):
            begin = max(low, self.times[index - 1] + 1) if index > 0 else low
            end = min(high, self.times[index]) if index < len(self.times) else high
            if begin <= end:
                yield State(index % len(self.times), begin, end)

    def first_at(self, time):
        return bisect.bisect_left(self.times, time)

    def fault_text(self, numbers, begin, end):
        """The first message that is none of those that may come."""
        due = {state.next for state in self.states}
        for index in range(begin, end):
            due = {(number + 1) % len(self.times) for number in due if number == numbers[index]}
            if not due:
                before = numbers[max(0, index - 3):index]
                return f"message {index} was number {numbers[index]}, behind {before}"
        return "the model has no state left"

    def jump_text(self, seek, window):
        places = sorted(
            {landed.next for state in self.states for landed in self.landings(state, seek)})
        return (
            f"{seek} should go on with number {places[:5]}; what came around it is {window[:20]},"
            f" behind {[state.next - 1 for state in self.states]}")
