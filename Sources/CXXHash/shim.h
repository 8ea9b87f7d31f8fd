// XXH3 is compiled into the caller: its short-input paths are worth inlining, one call a record.
// XXH_INLINE_ALL renames every function by a macro, which Swift does not import; hence the wrapper.
#pragma once
#define XXH_INLINE_ALL
#include <xxhash.h>

static inline uint64_t xxh3_64(const void *bytes, size_t count, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes, count, seed);
}
