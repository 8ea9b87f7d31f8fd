// Counts heap allocations by thread, in a process that was started with LD_PRELOAD=this library.
//
// Every function of glibc that allocates is replaced by one that counts and calls glibc's own; new,
// Swift objects and SQLite end up there too. A thread counts in a slot of its own, without locks.
// At the end of the process the counts are written to the file that COUNT_ALLOCATIONS_TO names:
//
//   {"threads": [{"name": "main", "allocations": 12, "bytes": 345}, ...]}
//
// realloc counts as an allocation, free not at all. Threads are called what the kernel calls them.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);
extern void *__libc_memalign(size_t, size_t);

struct counter {
  pid_t thread;
  char name[16];  // set when the thread ends
  unsigned long allocations;
  unsigned long bytes;
};

enum { counters_max = 4096 };
static struct counter counters[counters_max];
static atomic_int counters_used;
static pthread_key_t thread_end;
static atomic_bool is_key_made;
// In the executable's static block, so that reaching it allocates nothing.
static __thread struct counter *own __attribute__((tls_model("initial-exec")));

static void keep_name(void *counter) { prctl(PR_GET_NAME, ((struct counter *)counter)->name); }

static void count(size_t bytes) {
  if (own == NULL) {
    int index = atomic_fetch_add(&counters_used, 1);
    if (index >= counters_max) abort();
    own = &counters[index];
    own->thread = gettid();
    if (atomic_load(&is_key_made)) pthread_setspecific(thread_end, own);
  }
  own->allocations += 1;
  own->bytes += bytes;
}

void *malloc(size_t size) {
  count(size);
  return __libc_malloc(size);
}

void *calloc(size_t items, size_t size) {
  count(items * size);
  return __libc_calloc(items, size);
}

void *realloc(void *memory, size_t size) {
  count(size);
  return __libc_realloc(memory, size);
}

void *memalign(size_t alignment, size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
  count(size);
  return __libc_memalign(alignment, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size) {
  if (alignment % sizeof(void *) != 0 || (alignment & (alignment - 1)) != 0) return EINVAL;
  count(size);
  void *allocated = __libc_memalign(alignment, size);
  if (allocated == NULL) return ENOMEM;
  *memory = allocated;
  return 0;
}

__attribute__((constructor)) static void begin(void) {
  is_key_made = pthread_key_create(&thread_end, keep_name) == 0;
}

// The name of a thread that is still there.
static void read_name(struct counter *counter) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/task/%d/comm", counter->thread);
  int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  ssize_t length = read(file, counter->name, sizeof counter->name - 1);
  if (length > 0) counter->name[length - 1] = 0;
  close(file);
}

__attribute__((destructor)) static void report(void) {
  const char *path = getenv("COUNT_ALLOCATIONS_TO");
  if (path == NULL) return;
  int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return;
  dprintf(file, "{\"threads\": [");
  int used = counters_used;
  for (int index = 0; index < used; index++) {
    struct counter *counter = &counters[index];
    if (counter->thread == getpid()) strcpy(counter->name, "main");
    if (counter->name[0] == 0) read_name(counter);
    dprintf(
      file, "%s\n  {\"name\": \"%s\", \"allocations\": %lu, \"bytes\": %lu}", index ? "," : "",
      counter->name, counter->allocations, counter->bytes);
  }
  dprintf(file, "\n]}\n");
  close(file);
}
