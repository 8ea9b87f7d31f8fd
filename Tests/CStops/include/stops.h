// Stops a thread in the middle of a call, and keeps what memory held there.
//
// They take over a signal of the whole process: for exit tests, one stop in a process at a time.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// At the first access to a page. Works everywhere.

// Takes the page's access away. The first that touches it stops there, keeps the word, gets the page
// back, read-only, and goes on. An access to another address that may not be is a crash as ever.
bool stop_at_page(void *page, size_t size, const uint32_t *word);

typedef struct {
  uint64_t count;
  uint32_t word;
} page_stops;

// Gives the former handler back; how often a thread stopped, and the word as it was then.
page_stops end_page_stops(void);

// At each instruction. x86-64 sees its own stores in their order, and so do its other threads; so
// what the thread finds here, another one can find.

static inline bool can_step(void) {
#ifdef __x86_64__
  return true;
#else
  return false;
#endif
}

// Runs the calling thread one instruction at a time. As soon as the word is not what it was, copies
// `count` bytes once.
bool begin_steps(const uint32_t *word, const void *bytes, void *copy, size_t count);

// The same from the first write to a page on: for calls that do much before.
bool begin_steps_at_page(
    void *page, size_t size, const uint32_t *word, const void *bytes, void *copy, size_t count);

typedef struct {
  uint64_t count;
  // The step behind which the word was another one; 0: none.
  uint64_t changed;
} steps;

// Gives the former handlers back.
steps end_steps(void);
