"""Values of the formats that say what they hold: JSON, MessagePack, Pickle."""

import base64
import json
import math
import pickle
import struct

import msgpack

WORDS = ["", "a", "seq", "naïve", "日本語", "🎈", "quote \" and \\", "line\nfeed\t", "\x7f\x85", "\x00"]


def number(value):
    """A float as JSON has it."""
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def binary(value):
    return {"$bytes": base64.b64encode(value).decode()}


class Values:
    """Values at random, and what zcap makes of them."""

    def __init__(self, chance):
        self.chance = chance

    def text(self):
        return "".join(self.chance.choice(WORDS) for _ in range(self.chance.randrange(4)))

    def integer(self, bits=64):
        value = self.chance.getrandbits(self.chance.randrange(1, bits + 1))
        return value - (1 << bits - 1) if self.chance.random() < 0.3 else value >> 1

    def real(self):
        special = [0.0, -0.0, 1.5, 1e300, 5e-324, math.nan, math.inf, -math.inf, 0.1]
        if self.chance.random() < 0.3:
            return self.chance.choice(special)
        return struct.unpack("<d", self.chance.randbytes(8))[0]


class Json:
    rules = []

    def __init__(self, chance, folder):
        self.chance, self.values = chance, Values(chance)

    def is_tagged(self, tags):
        return tags == ["json"]

    def value(self, depth):
        pick = self.chance.randrange(8 if depth else 5)
        if pick == 0:
            return self.values.text()
        if pick == 1:
            return self.values.integer(self.chance.choice([64, 64, 200]))
        if pick == 2:
            real = self.values.real()
            return real if math.isfinite(real) else 0.25
        if pick == 3:
            return self.chance.choice([None, True, False])
        if pick == 4:
            return []
        return self.container(depth - 1)

    def container(self, depth):
        count = self.chance.randrange(6)
        if self.chance.random() < 0.5:
            return [self.value(depth) for _ in range(count)]
        return {self.values.text(): self.value(depth) for _ in range(count)}

    def sample(self):
        value = self.container(4)
        text = json.dumps(
            value, ensure_ascii=self.chance.random() < 0.5,
            indent=self.chance.choice([None, None, 2]))
        return [text.encode()], value

    def expected(self, values):
        return values


class MessagePack:
    rules = ["--as", "*#1=msgpack"]

    def __init__(self, chance, folder):
        self.chance, self.values = chance, Values(chance)

    def is_tagged(self, tags):
        return tags == ["msgpack"]

    def value(self, depth):
        """A value and its JSON."""
        pick = self.chance.randrange(10 if depth else 7)
        if pick == 0:
            text = self.values.text()
            return text, text
        if pick == 1:
            whole = self.values.integer()
            return whole, whole
        if pick == 2:
            real = self.values.real()
            return real, number(real)
        if pick == 3:
            plain = self.chance.choice([None, True, False])
            return plain, plain
        if pick == 4:
            data = self.chance.randbytes(self.chance.randrange(40))
            return data, binary(data)
        if pick == 5:
            code, data = self.chance.randrange(128), self.chance.randbytes(self.chance.randrange(20))
            return msgpack.ExtType(code, data), {"$ext": code} | binary(data)
        if pick == 6:
            stamp = msgpack.Timestamp(self.chance.randrange(1 << 33), self.chance.randrange(10**9))
            moment = stamp.to_datetime().replace(microsecond=0, tzinfo=None).isoformat()
            return stamp, {"$timestamp": f"{moment}.{stamp.nanoseconds:09}Z"}
        count = self.chance.choice([0, 1, 2, 3, 17])
        if self.chance.random() < 0.5:
            parts = [self.value(depth - 1) for _ in range(count)]
            return [value for value, _ in parts], [shown for _, shown in parts]
        value, shown = {}, {}
        for _ in range(count):
            key = self.chance.choice([self.values.text(), self.values.integer(16)])
            name = key if isinstance(key, str) else json.dumps(key)
            if name in shown:
                continue
            value[key], shown[name] = self.value(depth - 1)
        return value, shown

    def sample(self):
        value, shown = self.value(3)
        single = self.chance.random() < 0.2
        if single:
            value = self.chance.uniform(-1e6, 1e6)
            # As many digits as its width needs: the shortest that give the same float.
            narrow = struct.unpack("<f", struct.pack("<f", value))[0]
            return [msgpack.packb(value, use_single_float=True)], Narrow(narrow)
        return [msgpack.packb(value, use_bin_type=True)], shown

    def expected(self, values):
        return [value.shortest() if isinstance(value, Narrow) else value for value in values]


class Narrow:
    """A float of 32 bits."""

    def __init__(self, value):
        self.value = value

    def shortest(self):
        for digits in range(1, 10):
            text = f"{self.value:.{digits}g}"
            if struct.unpack("<f", struct.pack("<f", float(text)))[0] == self.value:
                return float(text)
        return self.value


class Pickle:
    rules = ["--as", "*#1=pickle"]

    def __init__(self, chance, folder):
        self.chance, self.values = chance, Values(chance)

    def is_tagged(self, tags):
        return tags == ["pickle"]

    def value(self, depth):
        pick = self.chance.randrange(12 if depth else 6)
        if pick == 0:
            text = self.values.text()
            return text, text
        if pick == 1:
            whole = self.values.integer(self.chance.choice([8, 16, 32, 64, 300, 3000]))
            return whole, whole
        if pick == 2:
            real = self.values.real()
            return real, number(real)
        if pick == 3:
            plain = self.chance.choice([None, True, False])
            return plain, plain
        if pick == 4:
            data = self.chance.randbytes(self.chance.choice([0, 1, 20, 300]))
            return data, binary(data)
        if pick == 5:
            data = self.chance.randbytes(self.chance.randrange(20))
            return bytearray(data), binary(data)
        if pick == 6:
            items = {self.values.integer(16) for _ in range(self.chance.randrange(5))}
            items = self.chance.choice([set, frozenset])(items)
            return items, list(items)
        count = self.chance.choice([0, 1, 2, 3, 4, 300])
        count = min(count, 5) if depth > 1 else count
        if pick <= 9:
            parts = [self.value(depth - 1) for _ in range(count)]
            kind = self.chance.choice([list, tuple])
            return kind(value for value, _ in parts), [shown for _, shown in parts]
        value, shown = {}, {}
        for _ in range(count):
            key = self.chance.choice([self.values.text(), self.values.integer(16)])
            name = key if isinstance(key, str) else json.dumps(key)
            if name in shown:
                continue
            value[key], shown[name] = self.value(depth - 1)
        return value, shown

    def sample(self):
        protocol = self.chance.randrange(6)
        value, shown = self.value(3)
        if protocol < 3 and has(value, (bytes, bytearray, set, frozenset)):
            # There they are calls, which zcap describes and does not make.
            protocol = 4
        if protocol < 5 and has(value, bytearray):
            protocol = 5
        if protocol < 4 and has(value, (set, frozenset)):
            protocol = 4
        return [pickle.dumps(value, protocol)], shown

    def expected(self, values):
        return values


def has(value, kinds):
    """Whether a value, or one in it, is of a kind."""
    if isinstance(value, kinds):
        return True
    if isinstance(value, (list, tuple)):
        return any(has(item, kinds) for item in value)
    if isinstance(value, dict):
        return any(has(item, kinds) for item in value.values())
    return False
