"""Protocol Buffers, which need their schema.

    zcap record ENDPOINT -o demo --schema telemetry.desc --codec 'sample#1=protobuf(telemetry.Sample)'
    zcap cat demo --json

    {"seq":1,"time":2.5,"values":[0.5,1.5],"unit":"mA"}
"""

import pathlib

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from publish import publish

pool = descriptor_pool.DescriptorPool()
compiled = pathlib.Path(__file__).with_name("telemetry.desc").read_bytes()
for file in descriptor_pb2.FileDescriptorSet.FromString(compiled).file:
    pool.Add(file)
Sample = message_factory.GetMessageClass(pool.FindMessageTypeByName("telemetry.Sample"))

publish(
    [b"sample", Sample(seq=seq, time=2.5, values=[0.5, 1.5], unit="mA").SerializeToString()]
    for seq in range(3))
