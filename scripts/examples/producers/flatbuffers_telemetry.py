"""Telemetry as FlatBuffers, which need their schema.

    zcap record ENDPOINT -o demo --schema telemetry.bfbs --codec '*#1=flatbuffers(Telemetry.Telemetry)'
    zcap cat demo --json

    {"seq":1,"ts":1700000001.5,"temp":21.5,"msg":"nothing unusual"}
"""

import flatbuffers
from publish import publish


def telemetry(seq):
    builder = flatbuffers.Builder(64)
    message = builder.CreateString("nothing unusual")
    builder.StartObject(4)
    builder.PrependUint32Slot(0, seq, 0)
    builder.PrependFloat64Slot(1, 1_700_000_000.5 + seq, 0.0)
    builder.PrependFloat32Slot(2, 20.5 + seq, 0.0)
    builder.PrependUOffsetTRelativeSlot(3, message, 0)
    builder.Finish(builder.EndObject())
    return bytes(builder.Output())


publish([b"telemetry", telemetry(seq)] for seq in range(3))
