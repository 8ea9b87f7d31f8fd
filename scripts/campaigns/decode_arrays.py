"""Arrays and structs: bytes whose layout somebody else tells."""

import io
import json
import math
import struct

import numpy

from decode_dynamic import Narrow, binary, number

DATA_ELEMENTS_MAX = 256


class Structs:
    """Many layouts: each is the rule for frames of another number."""

    LAYOUTS = 40

    def __init__(self, chance, folder):
        self.chance = chance
        self.layouts = [self.layout() for _ in range(self.LAYOUTS)]
        self.rules = []
        for index, (text, names) in enumerate(self.layouts):
            tag = f"struct({text}:{','.join(names)})" if names else f"struct({text})"
            self.rules += ["--as", f"*#{index + 2}={tag}"]

    def layout(self):
        order = self.chance.choice(["", "@", "=", "<", ">", "!"])
        items, count = [], 0
        for _ in range(self.chance.randrange(1, 8)):
            code = self.chance.choice("bBhHiIlLqQ?efdsxc")
            repeat = self.chance.choice([None, None, None, 2, 5])
            items.append(f"{repeat or ''}{code}")
            count += 0 if code == "x" else 1 if code == "s" else repeat or 1
        if count == 0:
            return self.layout()
        names = [f"n{index}" for index in range(count)] if self.chance.random() < 0.5 else []
        return order + "".join(items), names

    def is_tagged(self, tags):
        return tags[-1].startswith("struct(")

    def sample(self):
        which = self.chance.randrange(self.LAYOUTS)
        text, names = self.layouts[which]
        data = self.chance.randbytes(struct.calcsize(text))
        # Each layout is the rule of one position; the frames before are empty.
        return [*[b""] * which, b"", data], (which, data)

    def expected(self, values):
        return [self.shown(*value) for value in values]

    def shown(self, which, data):
        text, names = self.layouts[which]
        order = text[0] if text[0] in "@=<>!" else ""
        shown = []
        for value, code in zip(struct.unpack(text, data), codes(text[len(order):])):
            if isinstance(value, bool) or isinstance(value, int):
                shown.append(value)
            elif isinstance(value, float):
                shown.append(real(value, code))
            elif code == "c":
                shown.append(binary(value))
            else:
                try:
                    shown.append(value.rstrip(b"\0").decode())
                except UnicodeDecodeError:
                    shown.append(binary(value))
        return dict(zip(names, shown)) if names else shown


def total(array):
    """The sum of the numbers of an array, with no rounding but the last."""
    floats = [float(value) for value in array.ravel(order="K")]
    floats = [value for value in floats if not math.isnan(value)]
    plain = 0.0
    for value in floats:
        plain += value
    return math.fsum(floats) if math.isfinite(plain) else plain


def codes(text):
    """The code of each value."""
    repeat = ""
    for code in text:
        if code.isdigit():
            repeat += code
            continue
        count = int(repeat or 1)
        repeat = ""
        if code == "s":
            yield code
        elif code != "x":
            yield from [code] * count


def real(value, code):
    """A float of a width as JSON has it."""
    if not math.isfinite(value) or code == "d":
        return number(value)
    return Narrow(value).shortest()


class Arrays:
    """In three ways: behind a header of JSON or MessagePack, as pyzmq's recipe sends them, or as a
    file of NumPy's."""

    TYPES = [
        "uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64", "float16",
        "float32", "float64", "bool", "complex64", "complex128", ">i2", ">u4", ">f8", ">c8",
    ]
    rules = []

    def __init__(self, chance, folder):
        self.chance = chance

    def is_tagged(self, tags):
        return tags[-1] == "npy" or tags[-1].startswith("ndarray(")

    def sample(self):
        dtype = numpy.dtype(self.chance.choice(self.TYPES))
        shape = [self.chance.choice([1, 2, 3, 5, 17]) for _ in range(self.chance.randrange(1, 4))]
        count = math.prod(shape)
        array = numpy.frombuffer(self.chance.randbytes(count * dtype.itemsize), numpy.uint8)
        array = (array & 1 if dtype == bool else array).view(dtype).reshape(shape)
        if self.chance.random() < 0.4:
            if len(shape) > 1 and self.chance.random() < 0.5:
                array = numpy.asfortranarray(array)
            file = io.BytesIO()
            numpy.save(file, array)
            return [file.getvalue()], array
        header = {"dtype": str(array.dtype), "shape": array.shape, "name": "x"}
        return [json.dumps(header).encode(), array.tobytes()], array

    def expected(self, values):
        return [self.shown(value) for value in values]

    def shown(self, array):
        shown = {"dtype": str(array.dtype), "shape": list(array.shape)}
        if array.dtype.kind in "iuf":
            numbers = array[~numpy.isnan(array)] if array.dtype.kind == "f" else array
            if numbers.size:
                code = array.dtype.kind + str(array.dtype.itemsize)
                for name, value in (("min", numbers.min()), ("max", numbers.max())):
                    shown[name] = self.element(value.item(), code)
                shown["mean"] = number(total(array) / numbers.size)
            if numbers.size < array.size:
                shown["nan"] = array.size - numbers.size
        if array.size <= DATA_ELEMENTS_MAX:
            shown["data"] = self.nested(array)
        return shown

    def nested(self, array):
        if array.ndim:
            return [self.nested(part) for part in array]
        kind = array.dtype.kind
        if kind == "c":
            code = f"f{array.dtype.itemsize // 2}"
            return [self.element(array.real.item(), code), self.element(array.imag.item(), code)]
        return self.element(array.item(), kind + str(array.dtype.itemsize))

    @staticmethod
    def element(value, code):
        return real(value, "d" if code == "f8" else "f") if code[0] == "f" else value
