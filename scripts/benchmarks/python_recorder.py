"""What a user could write instead of zcap: a Python subscriber that writes MCAP, or SQLite.

    python_recorder.py mcap|sqlite FILE COUNT ENDPOINT...

Receives COUNT messages and writes each. Prints how many, their bytes, and the seconds from the first
message to the last being written, the file closed."""

import sqlite3
import sys
import time

import zmq


class McapFile:
    """A message is one record: its frames, one behind the other. Uncompressed, which is faster."""

    def __init__(self, path):
        from mcap.writer import CompressionType, Writer

        self.stream = open(path, "wb")
        self.writer = Writer(self.stream, compression=CompressionType.NONE)
        self.writer.start()
        schema = self.writer.register_schema("frames", "", b"")
        self.channel = self.writer.register_channel("zmq", "application/octet-stream", schema)

    def add(self, frames):
        now = time.time_ns()
        self.writer.add_message(self.channel, now, b"".join(frames), now)

    def close(self):
        self.writer.finish()
        self.stream.close()


class SqliteFile:
    """A message is one row; a thousand rows or 16 MiB are a transaction."""

    def __init__(self, path):
        self.database = sqlite3.connect(path, isolation_level=None)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = NORMAL")
        self.database.execute("CREATE TABLE message (time INTEGER, topic BLOB, payload BLOB)")
        self.database.execute("BEGIN")
        self.rows = self.bytes = 0

    def add(self, frames):
        self.database.execute("INSERT INTO message VALUES (?, ?, ?)", (time.time_ns(), *frames))
        self.rows += 1
        self.bytes += len(frames[1])
        if self.rows == 1000 or self.bytes > 16 << 20:
            self.database.execute("COMMIT")
            self.database.execute("BEGIN")
            self.rows = self.bytes = 0

    def close(self):
        self.database.execute("COMMIT")
        self.database.close()


def main():
    kind, path, count, *endpoints = sys.argv[1:]
    file = {"mcap": McapFile, "sqlite": SqliteFile}[kind](path)
    socket = zmq.Context().socket(zmq.SUB)
    socket.set(zmq.RCVHWM, 100_000)
    socket.set(zmq.RCVTIMEO, 60_000)
    socket.set(zmq.LINGER, 0)
    socket.subscribe(b"")
    for endpoint in endpoints:
        socket.connect(endpoint)
    bytes = 0
    for number in range(int(count)):
        frames = socket.recv_multipart()
        if number == 0:
            first = time.monotonic()
        bytes += sum(map(len, frames))
        file.add(frames)
    file.close()
    print(count, bytes, f"{time.monotonic() - first:.6f}")


main()
