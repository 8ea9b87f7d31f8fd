// XXH3 of short inputs is compiled into the caller: its paths are worth inlining, one call a record.
// XXH_INLINE_ALL renames every function by a macro, which Swift does not import; hence the wrapper.
#pragma once
#define XXH_INLINE_ALL
#include <xxhash.h>

// The same for the 28 bytes whose numbers, little-endian, are these from 0, 8, 12 and 20 on: the way
// that XXH3 takes bytes from 17 to 32 of them, without having them in memory first.
static inline uint64_t xxh3_64_of_28(
    uint64_t at0, uint64_t at8, uint64_t at12, uint64_t at20, uint64_t seed) {
  const uint8_t *secret = XXH3_kSecret;
  uint64_t sum = 28 * XXH_PRIME64_1;
  sum += XXH3_mul128_fold64(
      at0 ^ (XXH_readLE64(secret) + seed), at8 ^ (XXH_readLE64(secret + 8) - seed));
  sum += XXH3_mul128_fold64(
      at12 ^ (XXH_readLE64(secret + 16) + seed), at20 ^ (XXH_readLE64(secret + 24) - seed));
  return XXH3_avalanche(sum);
}

#ifdef __x86_64__
// Of the library's own: it takes the widest vectors that this processor has. Its header would replace
// every call by it, short ones too. Weak: a library can be built without it.
__attribute__((weak)) XXH64_hash_t XXH3_64bits_withSeed_dispatch(
    const void *bytes, size_t count, XXH64_hash_t seed);
#endif

static inline uint64_t xxh3_64(const void *bytes, size_t count, uint64_t seed) {
#ifdef __x86_64__
  if (count > XXH3_MIDSIZE_MAX && XXH3_64bits_withSeed_dispatch)
    return XXH3_64bits_withSeed_dispatch(bytes, count, seed);
#endif
  return XXH3_64bits_withSeed(bytes, count, seed);
}
