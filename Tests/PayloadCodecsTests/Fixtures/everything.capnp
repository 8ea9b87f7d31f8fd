# One of everything in Cap'n Proto, but AnyPointer and interfaces: see pointers.capnp.
@0xbf5147cbbecf40c1;

enum Color { red @0; green @1; }

struct Point { x @0 :Int32 = 5; name @1 :Text; }

struct Box(T) { value @0 :T; size @1 :Int8; }

struct Everything {
  void @0 :Void;
  bool @1 :Bool = true;
  int8 @2 :Int8 = -7;
  int16 @3 :Int16;
  int32 @4 :Int32;
  int64 @5 :Int64 = -1;
  uint8 @6 :UInt8;
  uint16 @7 :UInt16;
  uint32 @8 :UInt32 = 4000000000;
  uint64 @9 :UInt64;
  float32 @10 :Float32 = 1.5;
  float64 @11 :Float64 = -0.25;
  text @12 :Text = "unset";
  data @13 :Data;
  color @14 :Color = green;
  point @15 :Point;
  self @16 :Everything;

  bools @17 :List(Bool);
  voids @18 :List(Void);
  int8s @19 :List(Int8);
  int16s @20 :List(Int16);
  uint32s @21 :List(UInt32);
  uint64s @22 :List(UInt64);
  float32s @23 :List(Float32);
  float64s @24 :List(Float64);
  texts @25 :List(Text);
  datas @26 :List(Data);
  colors @27 :List(Color);
  points @28 :List(Point);
  lists @29 :List(List(List(Int16)));

  union {
    none @30 :Void;
    count @31 :UInt16 = 3;
    label @32 :Text = "no label";
    place @33 :Point = (x = 9, name = "there");
    numbers @34 :List(Int8) = [1, -2];
    pair :group {
      left @35 :Int64;
      right @36 :Text;
    }
  }

  group :group {
    inner @37 :UInt8 = 1;
    union {
      first @38 :Point;
      second @39 :Int8;
    }
  }

  textBox @40 :Box(Text);
  boxBox @41 :Box(Box(List(Point)));
}
