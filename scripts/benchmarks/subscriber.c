// Receives messages and throws them away: what recording is measured against, and what a replay
// is sent to.
//
//   subscriber ENDPOINT COUNT
//
// Connects, subscribes to everything, receives COUNT messages, and prints how many messages and
// bytes came and the seconds from the first to the last. Gives up after ten minutes, or when
// nothing comes for one.
#include <stdio.h>
#include <stdlib.h>
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
  if (argc != 3) {
    fprintf(stderr, "usage: subscriber ENDPOINT COUNT\n");
    return 64;
  }
  long count = atol(argv[2]), bytes = 0;
  alarm(seconds_max);

  void *context = zmq_ctx_new();
  void *socket = zmq_socket(context, ZMQ_SUB);
  set(socket, ZMQ_RCVHWM, queue_messages_max);
  set(socket, ZMQ_RCVTIMEO, stall_milliseconds_max);
  set(socket, ZMQ_LINGER, 0);
  check(zmq_connect(socket, argv[1]), argv[1]);
  check(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0), "subscribe");

  double first = 0;
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  for (long received = 0; received < count; received++) {
    do {
      check(zmq_msg_recv(&frame, socket, 0), "receive");
      bytes += zmq_msg_size(&frame);
    } while (zmq_msg_more(&frame));
    if (received == 0) first = now();
  }
  printf("%ld %ld %.6f\n", count, bytes, now() - first);
  zmq_msg_close(&frame);
  zmq_close(socket);
  zmq_ctx_term(context);
  return 0;
}
