// Publishes messages of two frames when they are due, as a bare loop does it that sleeps until
// shortly before and spins for the rest: what a replay at the recorded pace is measured against,
// and the source of the capture that is replayed.
//
//   pacer ENDPOINT TIMELINE SIZE [LATENESS]
//
// TIMELINE is a file of 64-bit integers, nanoseconds of a clock, one for each message. Binds
// ENDPOINT, waits for a subscription, takes that moment as the time of the first, and sends at each
// time a topic of 16 bytes and a payload of SIZE bytes. With LATENESS, writes a file of as many
// integers: how many nanoseconds behind its time the loop came to send each message. XPUB with
// no-drop waits while the subscriber is full. Gives up when nothing moves for a minute, and at the
// latest two minutes later than TIMELINE takes.
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { spin_nanoseconds = 60000, topic_bytes = 16, topics = 4 };
enum { queue_messages_max = 10000, stall_milliseconds_max = 60000, grace_seconds = 120 };

static void check(int result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "pacer: %s: %s\n", what, zmq_strerror(zmq_errno()));
  exit(1);
}

static void set(void *socket, int option, int value) {
  check(zmq_setsockopt(socket, option, &value, sizeof value), "set an option");
}

static int64_t now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

// Returns at the deadline: how many nanoseconds behind it.
static int64_t wait_until(int64_t deadline) {
  int64_t time = now(), wake = deadline - spin_nanoseconds;
  if (wake > time) {
    struct timespec until = {wake / 1000000000, wake % 1000000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR) continue;
    time = now();
  }
  while (time < deadline) time = now();
  return time - deadline;
}

static int64_t *read_timeline(const char *path, long *count) {
  struct stat status;
  check(stat(path, &status), path);
  FILE *file = fopen(path, "rb");
  int64_t *times = malloc(status.st_size + 1);
  if (!file || !times) check(-1, path);
  *count = fread(times, sizeof *times, status.st_size / sizeof *times, file);
  fclose(file);
  if (*count == 0) {
    fprintf(stderr, "pacer: %s: no times in it\n", path);
    exit(1);
  }
  return times;
}

static void write_lateness(const char *path, const int64_t *lateness, long count) {
  FILE *file = fopen(path, "wb");
  size_t written = file ? fwrite(lateness, sizeof *lateness, count, file) : 0;
  if (written != (size_t)count || fclose(file) != 0) check(-1, path);
}

int main(int argc, char **argv) {
  if (argc < 4 || argc > 5) {
    fprintf(stderr, "usage: pacer ENDPOINT TIMELINE SIZE [LATENESS]\n");
    return 64;
  }
  long count, size = atol(argv[3]);
  int64_t *times = read_timeline(argv[2], &count);
  alarm((times[count - 1] - times[0]) / 1000000000 + grace_seconds);
  int64_t *lateness = malloc(count * sizeof *lateness);
  char *payload = malloc(size + 1);
  if (!lateness || !payload) check(-1, "get memory");
  memset(lateness, 1, count * sizeof *lateness);
  memset(payload, 1, size);
  char names[topics][topic_bytes + 1];
  for (unsigned topic = 0; topic < topics; topic++)
    snprintf(names[topic], sizeof names[topic], "topic/%010u", topic);

  void *context = zmq_ctx_new();
  void *socket = zmq_socket(context, ZMQ_XPUB);
  set(socket, ZMQ_SNDHWM, queue_messages_max);
  set(socket, ZMQ_XPUB_NODROP, 1);
  set(socket, ZMQ_SNDTIMEO, stall_milliseconds_max);
  set(socket, ZMQ_RCVTIMEO, stall_milliseconds_max);
  set(socket, ZMQ_LINGER, stall_milliseconds_max);
  check(zmq_bind(socket, argv[1]), argv[1]);
  char subscription[256];
  check(zmq_recv(socket, subscription, sizeof subscription, 0), "wait for a subscriber");

  int64_t anchor = now() - times[0];
  for (long i = 0; i < count; i++) {
    lateness[i] = wait_until(anchor + times[i]);
    check(zmq_send(socket, names[i % topics], topic_bytes, ZMQ_SNDMORE), "send a topic");
    check(zmq_send_const(socket, payload, size, 0), "send a payload");
  }
  zmq_close(socket);
  zmq_ctx_term(context);
  if (argc == 5) write_lateness(argv[4], lateness, count);
  return 0;
}
