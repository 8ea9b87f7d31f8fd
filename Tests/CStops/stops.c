#define _GNU_SOURCE
#include "stops.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

// MARK: - Pages

static struct {
  unsigned char *page;
  size_t size;
  const volatile uint32_t *word;
  struct sigaction former;
  volatile page_stops stops;
} guarded;

static void on_access(int signal, siginfo_t *info, void *context) {
  (void)context;
  unsigned char *address = info->si_addr;
  if (address < guarded.page || address >= guarded.page + guarded.size) {
    sigaction(signal, &guarded.former, NULL);
    return;  // The access is made again, and is the former handler's.
  }
  guarded.stops.count += 1;
  guarded.stops.word = *guarded.word;
  mprotect(guarded.page, guarded.size, PROT_READ);
}

bool stop_at_page(void *page, size_t size, const uint32_t *word) {
  guarded.page = page;
  guarded.size = size;
  guarded.word = word;
  guarded.stops = (page_stops){0};
  struct sigaction action = {.sa_sigaction = on_access, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  return sigaction(SIGSEGV, &action, &guarded.former) == 0 && mprotect(page, size, PROT_NONE) == 0;
}

page_stops end_page_stops(void) {
  sigaction(SIGSEGV, &guarded.former, NULL);
  mprotect(guarded.page, guarded.size, PROT_READ | PROT_WRITE);
  guarded.page = NULL;
  return guarded.stops;
}

// MARK: - Steps

#ifdef __x86_64__
#include <x86intrin.h>

static const unsigned long long trap_flag = 1 << 8;

static struct {
  const volatile uint32_t *word;
  uint32_t before;
  const void *bytes;
  void *copy;
  size_t count;
  struct sigaction former;
  volatile steps steps;
} stepped;

// The kernel clears the flag for the handler, and its return sets it again.
static void on_step(int signal) {
  (void)signal;
  stepped.steps.count += 1;
  if (stepped.steps.changed == 0 && *stepped.word != stepped.before) {
    memcpy(stepped.copy, stepped.bytes, stepped.count);
    stepped.steps.changed = stepped.steps.count;
  }
}

static bool prepare_steps(const uint32_t *word, const void *bytes, void *copy, size_t count) {
  stepped.word = word;
  stepped.before = *word;
  stepped.bytes = bytes;
  stepped.copy = copy;
  stepped.count = count;
  stepped.steps = (steps){0};
  struct sigaction action = {.sa_handler = on_step};
  sigemptyset(&action.sa_mask);
  return sigaction(SIGTRAP, &action, &stepped.former) == 0;
}

static void end_access(void) {
  if (guarded.page == NULL) return;
  mprotect(guarded.page, guarded.size, PROT_READ | PROT_WRITE);
  sigaction(SIGSEGV, &guarded.former, NULL);
  guarded.page = NULL;
}

static void on_write(int signal, siginfo_t *info, void *context) {
  unsigned char *address = info->si_addr;
  if (address < guarded.page || address >= guarded.page + guarded.size) {
    sigaction(signal, &guarded.former, NULL);
    return;
  }
  end_access();
  ((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL] |= trap_flag;
}

bool begin_steps(const uint32_t *word, const void *bytes, void *copy, size_t count) {
  if (!prepare_steps(word, bytes, copy, count)) return false;
  __writeeflags(__readeflags() | trap_flag);
  return true;
}

bool begin_steps_at_page(
    void *page, size_t size, const uint32_t *word, const void *bytes, void *copy, size_t count) {
  if (!prepare_steps(word, bytes, copy, count)) return false;
  guarded.page = page;
  guarded.size = size;
  struct sigaction action = {.sa_sigaction = on_write, .sa_flags = SA_SIGINFO};
  sigemptyset(&action.sa_mask);
  return sigaction(SIGSEGV, &action, &guarded.former) == 0 && mprotect(page, size, PROT_READ) == 0;
}

steps end_steps(void) {
  __writeeflags(__readeflags() & ~trap_flag);
  sigaction(SIGTRAP, &stepped.former, NULL);
  end_access();
  return stepped.steps;
}

#else

bool begin_steps(const uint32_t *word, const void *bytes, void *copy, size_t count) {
  return false;
}

bool begin_steps_at_page(
    void *page, size_t size, const uint32_t *word, const void *bytes, void *copy, size_t count) {
  return false;
}

steps end_steps(void) { return (steps){0}; }

#endif
