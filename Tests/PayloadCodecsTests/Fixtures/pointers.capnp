# Pointers whose type nothing tells.
@0xbf5147cbbecf40c2;

interface Caller { call @0 () -> (); }

struct Pointers {
  any @0 :AnyPointer;
  caller @1 :Caller;
  structure @2 :AnyStruct;
  list @3 :AnyList;
}

struct Endless { union { next @0 :Endless; end @1 :Void; } }
