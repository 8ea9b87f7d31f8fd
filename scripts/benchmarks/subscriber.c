// Receives messages and throws them away: what recording is measured against, and what a replay
// is sent to.
//
//   subscriber ENDPOINTS COUNT [SKIP [MEMORY]]
//
// Connects to ENDPOINTS (with commas between them), subscribes to everything, and receives COUNT
// messages. Prints how many messages and bytes came behind the first SKIP of them (0), and the
// seconds from the first of those to the last. With MEMORY, in bytes, every frame is copied into so
// much memory, over and over, all of it written to before. Gives up after ten minutes, or when
// nothing comes for one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { seconds_max = 600, stall_milliseconds_max = 60000, queue_messages_max = 100000 };

static void check(int result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "subscriber: %s: %s\n", what, zmq_strerror(zmq_errno()));
  exit(1);
}

static void set(void *socket, int option, int value) {
  check(zmq_setsockopt(socket, option, &value, sizeof value), "set an option");
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int argc, char **argv) {
  if (argc < 3 || argc > 5) {
    fprintf(stderr, "usage: subscriber ENDPOINTS COUNT [SKIP [MEMORY]]\n");
    return 64;
  }
  long count = atol(argv[2]), bytes = 0, skip = argc > 3 ? atol(argv[3]) : 0;
  size_t size = argc > 4 ? atol(argv[4]) : 0, used = 0;
  char *memory = size > 0 ? malloc(size) : NULL;
  if (memory) memset(memory, 1, size);
  alarm(seconds_max);

  void *context = zmq_ctx_new();
  void *socket = zmq_socket(context, ZMQ_SUB);
  set(socket, ZMQ_RCVHWM, queue_messages_max);
  set(socket, ZMQ_RCVTIMEO, stall_milliseconds_max);
  set(socket, ZMQ_LINGER, 0);
  check(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0), "subscribe");
  for (char *each = strtok(argv[1], ","); each; each = strtok(NULL, ","))
    check(zmq_connect(socket, each), each);

  double first = 0;
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  for (long received = 0; received < count; received++) {
    if (received == skip) bytes = 0;
    do {
      check(zmq_msg_recv(&frame, socket, 0), "receive");
      size_t length = zmq_msg_size(&frame);
      bytes += length;
      if (!memory) continue;
      if (used + length > size) used = 0;
      if (length > size) check(-1, "copy a frame");
      memcpy(memory + used, zmq_msg_data(&frame), length);
      used += length;
    } while (zmq_msg_more(&frame));
    if (received == skip) first = now();
  }
  printf("%ld %ld %.6f\n", count - skip, bytes, now() - first);
  zmq_msg_close(&frame);
  zmq_close(socket);
  zmq_ctx_term(context);
  return 0;
}
