@0xd2c1a9f3b8e04d57;

struct Point { id @0 :UInt32; x @1 :Float64; y @2 :Float64; label @3 :Text; }
