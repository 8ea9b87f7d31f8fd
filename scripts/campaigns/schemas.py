"""Does zcap show messages of real schemas as the formats' own tools do?

The schemas are those of Foxglove, from PyPI: all of the package for Protocol Buffers, whose messages
are filled by the library and held against `json_format.MessageToDict`, and all of the compiled ones for
FlatBuffers, of which `flatc` makes buffers from JSON and JSON from the buffers. Types are the topics; the
capture keeps the schemas.

With --fbs also the `.fbs` files of a folder, such as `schemas` of the neutron sources' streaming-data-types:
zcap has them compiled, and tells the messages apart by their file identifiers alone. And schema.capnp of Cap'n
Proto itself: its messages are what `capnp compile` makes of schemas, and pycapnp says what is in them."""

import argparse
import importlib
import json
import pathlib
import pkgutil
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile

import capnp
import foxglove_schemas_flatbuffer
import foxglove_schemas_protobuf
from google.protobuf import descriptor_pb2, duration_pb2, json_format, timestamp_pb2

import decode
from decode_schemas import Protobuf

SECONDS_MAX = 1200
SHOWN = 5


class FoxgloveProtobuf(Protobuf):
    """Every message of the package."""

    codec = "protobuf"

    def __init__(self, chance, folder):
        self.chance, self.values = chance, decode.decode_dynamic.Values(chance)
        package = foxglove_schemas_protobuf
        modules = [
            importlib.import_module(f"{package.__name__}.{module.name}")
            for module in pkgutil.iter_modules(package.__path__) if module.name.endswith("_pb2")]
        self.types = {
            kind.DESCRIPTOR.full_name: kind
            for module in modules
            for kind in (getattr(module, name) for name in module.DESCRIPTOR.message_types_by_name)}
        files = descriptor_pb2.FileDescriptorSet()
        self.add(files, [module.DESCRIPTOR for module in modules], set())
        self.schemas = [folder / "foxglove.desc"]
        self.schemas[0].write_bytes(files.SerializeToString())

    def add(self, files, descriptors, known):
        """With what they import, that first."""
        for descriptor in descriptors:
            if descriptor.name not in known:
                known.add(descriptor.name)
                self.add(files, descriptor.dependencies, known)
                descriptor.CopyToProto(files.file.add())

    def fill(self, message, depth):
        if isinstance(message, (timestamp_pb2.Timestamp, duration_pb2.Duration)):
            message.seconds = self.chance.randrange(4_000_000_000)
            message.nanos = self.chance.choice([0, 5, 120_000_000, self.chance.randrange(10**9)])
            return
        super().fill(message, depth)
        for field in message.DESCRIPTOR.fields:
            kind = field.message_type
            if kind and kind.full_name.startswith(self.WELL_KNOWN) and self.chance.random() < 0.7:
                times = getattr(message, field.name)
                for part in [times.add() for _ in range(2)] if field.is_repeated else [times]:
                    self.fill(part, depth)

    def samples(self, count):
        for name, kind in sorted(self.types.items()):
            for _ in range(count):
                message = kind()
                self.fill(message, 4)
                yield name, message.SerializeToString(), json_format.MessageToDict(message)

    @staticmethod
    def same(left, right):
        return decode.same(left, right)


class Table:
    """A table of a compiled schema, by the format itself."""

    def __init__(self, data, place):
        self.data, self.place = data, place
        self.vtable = place - struct.unpack_from("<i", data, place)[0]

    def field(self, number):
        size = struct.unpack_from("<H", self.data, self.vtable)[0]
        offset = 0
        if 4 + 2 * number < size:
            offset = struct.unpack_from("<H", self.data, self.vtable + 4 + 2 * number)[0]
        return self.place + offset if offset else None

    def number(self, number, code, default=0):
        place = self.field(number)
        return default if place is None else struct.unpack_from("<" + code, self.data, place)[0]

    def target(self, place):
        return place + struct.unpack_from("<I", self.data, place)[0]

    def text(self, number):
        place = self.target(self.field(number))
        size = struct.unpack_from("<I", self.data, place)[0]
        return self.data[place + 4:place + 4 + size].decode()

    def table(self, number):
        place = self.field(number)
        return None if place is None else Table(self.data, self.target(place))

    def tables(self, number):
        place = self.field(number)
        if place is None:
            return []
        place = self.target(place)
        size = struct.unpack_from("<I", self.data, place)[0]
        return [Table(self.data, self.target(place + 4 + 4 * index)) for index in range(size)]


class FoxgloveFlatBuffers:
    """Every compiled schema of the package that has a root. Numbers as in reflection.fbs."""

    codec = "flatbuffers"
    UNION_TYPE, BOOL, STRING, VECTOR, OBJECT, UNION, ARRAY = 1, 2, 13, 14, 15, 16, 17
    WHOLE = {3: (8, True), 4: (8, False), 5: (16, True), 6: (16, False), 7: (32, True), 8: (32, False),
             9: (64, True), 10: (64, False)}

    def __init__(self, chance, folder):
        self.chance, self.folder = chance, folder
        self.schemas = sorted(
            pathlib.Path(foxglove_schemas_flatbuffer.__file__).parent.glob("*.bfbs"))

    def compiled(self):
        return self.schemas

    def topic(self, schema, root):
        return root.text(0)

    def samples(self, count):
        for path in self.compiled():
            data = path.read_bytes()
            schema = Table(data, struct.unpack_from("<I", data)[0])
            root = schema.table(4)
            if root is None:
                # Structs, which others have within them.
                continue
            objects, enums = schema.tables(0), schema.tables(1)
            folder = self.folder / path.stem
            folder.mkdir()
            names = [f"{number}" for number in range(count)]
            for name in names:
                value = self.value(root, objects, enums, 4)
                (folder / f"{name}.json").write_text(json.dumps(value, ensure_ascii=False))
            self.flatc(folder, "--binary", path, *[folder / f"{name}.json" for name in names])
            self.flatc(
                folder, "--json", "--strict-json", "--defaults-json", "--natural-utf8", "--raw-binary",
                path, "--", *[folder / f"{name}.bin" for name in names])
            for name in names:
                shown = json.loads((folder / f"{name}.json").read_text(), parse_float=float)
                yield self.topic(schema, root), (folder / f"{name}.bin").read_bytes(), shown

    @staticmethod
    def flatc(folder, *arguments):
        subprocess.run(["flatc", "-o", folder, *arguments], check=True, stdout=subprocess.DEVNULL)

    def value(self, kind, objects, enums, depth):
        """Of a table or a struct, of which every field is there."""
        is_struct = kind.number(2, "B")
        found = {}
        for field in kind.tables(1):
            name, is_deprecated, is_needed = field.text(0), field.number(6, "B"), field.number(7, "B")
            if is_deprecated or not (is_struct or is_needed or self.chance.random() < 0.7):
                continue
            # A required one goes as deep as it must.
            left = max(depth, 1) if is_needed else depth
            if field.table(1).number(0, "b") == self.UNION:
                members = enums[field.table(1).number(2, "i", -1)].tables(1)
                member = self.chance.choice([part for part in members if part.number(1, "q")])
                if left > 0:
                    found[f"{name}_type"] = member.text(0)
                    found[name] = self.single(
                        self.OBJECT, member.table(3).number(2, "i", -1), objects, enums, left - 1)
                continue
            value = self.part(field.table(1), objects, enums, left)
            if value is not None:
                found[name] = value
        return found

    def part(self, kind, objects, enums, depth):
        base, element = kind.number(0, "b"), kind.number(1, "b")
        index = kind.number(2, "i", -1)
        if base == self.UNION_TYPE or element in (self.UNION_TYPE, self.UNION):
            return None
        if base == self.ARRAY:
            return [self.single(element, index, objects, enums, depth - 1)
                    for _ in range(kind.number(3, "H"))]
        if base == self.VECTOR:
            if element == self.OBJECT and depth == 0:
                return None
            parts = [self.single(element, index, objects, enums, depth - 1)
                     for _ in range(self.chance.randrange(4))]
            return None if None in parts else parts
        if base == self.OBJECT and depth == 0 and not objects[index].number(2, "B"):
            return None
        return self.single(base, index, objects, enums, depth - 1)

    def single(self, base, index, objects, enums, depth):
        if base == self.BOOL:
            return self.chance.random() < 0.5
        if base in self.WHOLE and index >= 0:
            return self.chance.choice(enums[index].tables(1)).number(1, "q")
        if base in self.WHOLE:
            bits, is_signed = self.WHOLE[base]
            value = self.chance.getrandbits(self.chance.randrange(1, bits + 1))
            return value - (1 << bits - 1) if is_signed else value
        if base in (11, 12):
            # flatc writes few digits.
            return self.chance.randrange(-4000, 4000) / 8
        if base == self.STRING:
            return "".join(self.chance.choice(["", "a", "naïve", "日本語", "x y"]) for _ in range(3))
        if base == self.OBJECT:
            return self.value(objects[index], objects, enums, depth)
        sys.exit(f"base type {base} is new here")

    @classmethod
    def same(cls, left, right):
        """The order of members is that of the schema here and there, and not the same."""
        if isinstance(left, dict) and isinstance(right, dict):
            return left.keys() == right.keys() and all(
                cls.same(left[key], right[key]) for key in left)
        if isinstance(left, list) and isinstance(right, list):
            return len(left) == len(right) and all(map(cls.same, left, right))
        return right == left if isinstance(right, Anything) else decode.same(left, right)


class IdentifiedFlatBuffers(FoxgloveFlatBuffers):
    """The `.fbs` files of a folder that say their root and its identifier."""

    sources = None

    def __init__(self, chance, folder):
        self.chance, self.folder = chance, folder
        self.schemas = [
            path for path in sorted(self.sources.glob("*.fbs"))
            if {b"file_identifier", b"root_type"} <= set(path.read_bytes().split())]
        if not self.schemas:
            sys.exit(f"{self.sources}: no .fbs file in it says its root and its identifier")

    def compiled(self):
        for path in self.schemas:
            self.flatc(self.folder, "--binary", "--schema", "--bfbs-builtins", path)
            yield self.folder / f"{path.stem}.bfbs"

    def topic(self, schema, root):
        return schema.text(2)

class Anything:
    """An AnyPointer: what lies behind it no schema says, only that it is a struct or a list."""

    def __eq__(self, other):
        return isinstance(other, dict) and (other.keys() == {"$struct"} or other.keys() == {"$list"})


class CapnpItself:
    """What `capnp compile` makes of schemas: messages of schema.capnp, as pycapnp reads them."""

    codec = "capnp"
    INCLUDES = pathlib.Path(capnp.__file__).parent

    def __init__(self, chance, folder):
        shutil.copytree(
            self.INCLUDES, folder / "include" / "capnp", ignore=lambda _, names: [
                name for name in names if not name.endswith(".capnp")])
        self.include = folder / "include"
        self.schemas = [self.include / "capnp" / "schema.capnp"]

    def samples(self, count):
        kind = capnp.load(str(self.schemas[0]), imports=[str(self.include)])
        for source in sorted((self.include / "capnp").glob("*.capnp")):
            made = subprocess.run(
                ["capnp", "compile", "-I", self.include, "-o-", source], check=True,
                capture_output=True).stdout
            with kind.CodeGeneratorRequest.from_bytes(
                    made, traversal_limit_in_words=1 << 26) as message:
                yield "CodeGeneratorRequest", made, self.structure(message)

    def structure(self, value):
        """As `capnp convert` has it: pointers that are null are not there, nor is what a union does not
        hold; what it holds is, null or not."""
        found = {}
        for name, field in value.schema.fields.items():
            about = field.proto
            is_of_union = about.discriminantValue != 0xFFFF
            if is_of_union and value.which() != name:
                continue
            if about.which() == "group":
                found[name] = self.structure(getattr(value, name))
                continue
            kind = about.slot.type
            is_pointer = kind.which() in ("text", "data", "list", "struct", "anyPointer")
            is_null = is_pointer and not value._has(name)
            if is_null and not is_of_union:
                continue
            if kind.which() == "anyPointer":
                found[name] = None if is_null else Anything()
            else:
                found[name] = self.single(getattr(value, name), kind)
        return found

    def single(self, value, kind):
        which = kind.which()
        if which == "struct":
            return self.structure(value)
        if which == "list":
            return [self.single(part, kind.list.elementType) for part in value]
        if which == "data":
            return list(value)
        if which in ("int64", "uint64", "enum"):
            return str(value)
        return None if which == "void" else value

    @staticmethod
    def same(left, right):
        return FoxgloveFlatBuffers.same(left, right)


SETS = {
    "protobuf": FoxgloveProtobuf, "flatbuffers": FoxgloveFlatBuffers, "fbs": IdentifiedFlatBuffers,
    "capnp": CapnpItself}


def prove(name, arguments):
    """Returns how many messages differ."""
    chance = random.Random(f"{arguments.seed}/{name}")
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        subject = SETS[name](chance, folder)
        samples = list(subject.samples(arguments.count))
        capture = decode.record(folder, [[kind.encode(), data] for kind, data, _ in samples])
        kinds = sorted({kind for kind, _, _ in samples})
        # What identifies itself needs no word on its type.
        is_identified = name == "fbs"
        tags = {kind: subject.codec + ("" if is_identified else f"({kind})") for kind in kinds}
        rules = [f"{kind}#1={tag}" for kind, tag in tags.items()]
        options = [part for path in subject.schemas for part in ("--schema", path)]
        subprocess.run([decode.ZCAP, "tag", capture, *rules, *options], check=True)
        differences = count = 0
        for (kind, data, wanted), found in zip(samples, decode.shown(capture, [])):
            count += 1
            frame = found[0]
            if "error" not in frame and frame["codec"] == tags[kind] and subject.same(
                    frame["value"], wanted):
                continue
            differences += 1
            if differences <= SHOWN:
                print(f"{kind}: {data.hex()[:400]}\n  shown: {json.dumps(frame)[:800]}\n"
                      f"  wanted: {json.dumps(wanted)[:800]}")
        if count != len(samples):
            sys.exit(f"{name}: {count} of {len(samples)} messages were shown")
    print(f"{name}: {len(kinds)} types, {count} messages, {differences} differences")
    return differences


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", action="append", choices=SETS)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--fbs", type=pathlib.Path)
    arguments = parser.parse_args()
    IdentifiedFlatBuffers.sources = arguments.fbs
    names = arguments.only or [name for name in SETS if name != "fbs" or arguments.fbs]
    if "fbs" in names and not arguments.fbs:
        parser.error("fbs: --fbs DIR says where they are")
    sys.stdout.reconfigure(line_buffering=True)
    signal.alarm(SECONDS_MAX)
    print(f"seed {arguments.seed}")
    differences = [prove(name, arguments) for name in names]
    sys.exit(3 if any(differences) else 0)


if __name__ == "__main__":
    main()
