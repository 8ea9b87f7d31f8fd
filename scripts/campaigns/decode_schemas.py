"""Messages that need a schema: those of the decoders' tests, filled at random."""

import json
import pathlib
import struct
import subprocess

import capnp
import flatbuffers
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory

from decode_dynamic import Values

FIXTURES = (
    pathlib.Path(__file__).resolve().parents[2] / "Tests" / "PayloadCodecsTests" / "Fixtures")


class Protobuf:
    """Held against `json_format.MessageToDict`."""

    TYPE = "zcap.test.Everything"
    # Their values have rules of their own; the decoders' tests have them.
    WELL_KNOWN = "google.protobuf."
    rules = ["--schema", FIXTURES / "everything.desc", "--as", f"*#1=protobuf({TYPE})"]

    def __init__(self, chance, folder):
        self.chance, self.values = chance, Values(chance)
        pool = descriptor_pool.DescriptorPool()
        files = descriptor_pb2.FileDescriptorSet.FromString(
            (FIXTURES / "everything.desc").read_bytes())
        for file in files.file:
            pool.Add(file)
        self.pool = pool
        self.make = message_factory.GetMessageClass(pool.FindMessageTypeByName(self.TYPE))

    def is_tagged(self, tags):
        return tags == [f"protobuf({self.TYPE})"]

    def sample(self):
        message = self.make()
        self.fill(message, 3)
        return [message.SerializeToString()], message

    def fill(self, message, depth):
        for field in message.DESCRIPTOR.fields:
            if self.chance.random() < 0.6:
                continue
            kind = field.message_type
            if kind and (depth == 0 or kind.full_name.startswith(self.WELL_KNOWN)):
                continue
            if kind and kind.GetOptions().map_entry:
                self.fill_map(getattr(message, field.name), kind, depth)
            elif field.is_repeated:
                for _ in range(self.chance.randrange(4)):
                    if kind:
                        self.fill(getattr(message, field.name).add(), depth - 1)
                    else:
                        getattr(message, field.name).append(self.scalar(field))
            elif kind:
                getattr(message, field.name).SetInParent()
                self.fill(getattr(message, field.name), depth - 1)
            else:
                setattr(message, field.name, self.scalar(field))

    def fill_map(self, entries, kind, depth):
        key, value = kind.fields_by_name["key"], kind.fields_by_name["value"]
        if value.message_type and value.message_type.full_name.startswith(self.WELL_KNOWN):
            return
        # One entry: the order of several is nobody's promise.
        if value.message_type:
            self.fill(entries[self.scalar(key)], depth - 1)
        else:
            entries[self.scalar(key)] = self.scalar(value)

    def scalar(self, field):
        if field.type == field.TYPE_ENUM:
            return self.chance.choice([*field.enum_type.values_by_number, 77])
        if field.type == field.TYPE_BOOL:
            return self.chance.random() < 0.5
        if field.type == field.TYPE_STRING:
            return self.values.text()
        if field.type == field.TYPE_BYTES:
            return self.chance.randbytes(self.chance.randrange(20))
        if field.type == field.TYPE_DOUBLE:
            return self.values.real()
        if field.type == field.TYPE_FLOAT:
            return struct.unpack("<f", self.chance.randbytes(4))[0]
        bits = 32 if "32" in field_name(field) else 64
        if field_name(field).startswith(("u", "fixed")):
            return self.chance.getrandbits(self.chance.randrange(1, bits + 1))
        return self.chance.getrandbits(self.chance.randrange(1, bits)) - self.chance.choice(
            [0, 1 << bits - 1])

    def expected(self, values):
        return [json_format.MessageToDict(value, descriptor_pool=self.pool) for value in values]


def field_name(field):
    names = {value: name for name, value in descriptor_pb2.FieldDescriptorProto.Type.items()}
    return names[field.type].removeprefix("TYPE_").lower()


class Capnp:
    """Written by pycapnp, held against `capnp convert binary:json`."""

    rules = ["--schema", FIXTURES / "everything.request", "--as", "*#1=capnp(Everything)"]

    def __init__(self, chance, folder):
        self.chance, self.values, self.folder = chance, Values(chance), folder
        self.schema = capnp.load(str(FIXTURES / "everything.capnp"))

    def is_tagged(self, tags):
        return tags == ["capnp(Everything)"]

    def sample(self):
        message = self.schema.Everything.new_message()
        self.fill(message, 2)
        data = message.to_bytes()
        return [data], data

    def text(self):
        # Its JSON writer and ours agree on these.
        return "".join(self.chance.choice(["", "a", "naïve", "日本語", "x y"]) for _ in range(3))

    def fill(self, message, depth):
        whole = {
            "int8": 8, "int16": 16, "int32": 32, "int64": 64, "uint8": 8, "uint16": 16, "uint32": 32,
            "uint64": 64,
        }
        for name, bits in whole.items():
            if self.chance.random() < 0.6:
                value = self.chance.getrandbits(bits)
                setattr(message, name, value if name[0] == "u" else value - (1 << bits - 1))
        if self.chance.random() < 0.5:
            message.bool = self.chance.random() < 0.5
            message.float32 = self.chance.choice([0.5, -2.0, 1024.25])
            message.float64 = self.chance.uniform(-1e6, 1e6)
            message.color = self.chance.choice(["red", "green"])
        if self.chance.random() < 0.5:
            message.text = self.text()
            message.data = self.chance.randbytes(self.chance.randrange(9))
            message.point.x = self.chance.randrange(1 << 20)
            message.point.name = self.text()
        if self.chance.random() < 0.5:
            message.bools = [self.chance.random() < 0.5 for _ in range(self.chance.randrange(20))]
            message.int16s = [self.chance.randrange(-9, 9) for _ in range(self.chance.randrange(5))]
            message.uint64s = [self.chance.getrandbits(64) for _ in range(3)]
            message.texts = [self.text() for _ in range(self.chance.randrange(4))]
            points = message.init("points", self.chance.randrange(4))
            for point in points:
                point.x = self.chance.randrange(-100, 100)
        pick = self.chance.randrange(5)
        if pick == 0:
            message.count = self.chance.randrange(1 << 16)
        elif pick == 1:
            message.label = self.text()
        elif pick == 2:
            message.init("place").x = 4
        elif pick == 3:
            message.init("pair").left = self.values.integer()
        if depth and self.chance.random() < 0.3:
            self.fill(message.init("self"), depth - 1)

    def expected(self, values):
        source = self.folder / "messages.bin"
        source.write_bytes(b"".join(values))
        with source.open("rb") as messages:
            text = subprocess.run(
                ["capnp", "convert", "binary:json", FIXTURES / "everything.capnp", "Everything"],
                stdin=messages, check=True, capture_output=True, text=True).stdout
        decoder, place, found = json.JSONDecoder(), 0, []
        while (place := len(text) - len(text[place:].lstrip())) < len(text):
            value, place = decoder.raw_decode(text, place)
            found.append(value)
        return found


class FlatBuffers:
    """Written by the builder of the Python library; the values themselves are known."""

    rules = [
        "--schema", FIXTURES / "everything.bfbs", "--as", "*#1=flatbuffers(Zcap.Test.Leaf)"]

    def __init__(self, chance, folder):
        self.chance, self.values = chance, Values(chance)

    def is_tagged(self, tags):
        return tags == ["flatbuffers(Zcap.Test.Leaf)"]

    def leaf(self, builder, depth):
        """Builds table Leaf { name:string; size:int = 7; leaves:[Leaf]; }."""
        shown, leaves, name = {}, None, None
        text = self.values.text() if self.chance.random() < 0.7 else None
        size = self.chance.choice([7, self.chance.randrange(-(1 << 31), 1 << 31)])
        if depth and self.chance.random() < 0.7:
            parts = [self.leaf(builder, depth - 1) for _ in range(self.chance.randrange(4))]
            builder.StartVector(4, len(parts), 4)
            for offset, _ in reversed(parts):
                builder.PrependUOffsetTRelative(offset)
            leaves = builder.EndVector(), [value for _, value in parts]
        if text is not None:
            name = builder.CreateString(text)
            shown["name"] = text
        shown["size"] = size
        builder.StartObject(3)
        if name is not None:
            builder.PrependUOffsetTRelativeSlot(0, name, 0)
        builder.PrependInt32Slot(1, size, 7)
        if leaves is not None:
            builder.PrependUOffsetTRelativeSlot(2, leaves[0], 0)
            shown["leaves"] = leaves[1]
        return builder.EndObject(), shown

    def sample(self):
        builder = flatbuffers.Builder(64)
        offset, shown = self.leaf(builder, 3)
        if self.chance.random() < 0.3:
            builder.FinishSizePrefixed(offset)
        else:
            builder.Finish(offset)
        return [bytes(builder.Output())], shown

    def expected(self, values):
        return values
