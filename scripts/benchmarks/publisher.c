// Publishes messages of two frames as fast as its subscriber takes them, and loses none.
//
//   publisher ENDPOINTS COUNT SIZE TOPICS
//
// Binds ENDPOINTS (with commas between them, a socket each), waits for a subscription at each, then
// sends COUNT messages, to one socket after the other: a topic of 16 bytes, one of TOPICS in turn,
// and a payload of SIZE bytes, which is passed by pointer. XPUB with no-drop waits while the
// subscriber is full. Gives up after ten minutes, or when nothing moves for one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum { endpoints_max = 64 };
enum { seconds_max = 600, stall_milliseconds_max = 60000, queue_bytes_max = 64 << 20 };

static void check(int result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "publisher: %s: %s\n", what, zmq_strerror(zmq_errno()));
  exit(1);
}

static void set(void *socket, int option, int value) {
  check(zmq_setsockopt(socket, option, &value, sizeof value), "set an option");
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: publisher ENDPOINTS COUNT SIZE TOPICS\n");
    return 64;
  }
  long count = atol(argv[2]), size = atol(argv[3]);
  unsigned topics = atoi(argv[4]);
  alarm(seconds_max);

  void *context = zmq_ctx_new(), *sockets[endpoints_max];
  int endpoints = 0;
  long queue = queue_bytes_max / (size + 16);
  for (char *each = strtok(argv[1], ","); each && endpoints < endpoints_max;
       each = strtok(NULL, ",")) {
    void *socket = sockets[endpoints++] = zmq_socket(context, ZMQ_XPUB);
    set(socket, ZMQ_SNDHWM, queue < 100 ? 100 : queue > 10000 ? 10000 : queue);
    set(socket, ZMQ_XPUB_NODROP, 1);
    set(socket, ZMQ_SNDTIMEO, stall_milliseconds_max);
    set(socket, ZMQ_RCVTIMEO, stall_milliseconds_max);
    set(socket, ZMQ_LINGER, stall_milliseconds_max);
    check(zmq_bind(socket, each), each);
  }
  char subscription[256];
  for (int i = 0; i < endpoints; i++)
    check(zmq_recv(sockets[i], subscription, sizeof subscription, 0), "wait for a subscriber");

  char *payload = calloc(1, size + 1);
  char(*names)[17] = calloc(topics, sizeof *names);
  for (unsigned topic = 0; topic < topics; topic++)
    snprintf(names[topic], sizeof *names, "topic/%010u", topic);
  for (long sent = 0; sent < count; sent++) {
    void *socket = sockets[sent % endpoints];
    check(zmq_send(socket, names[sent % topics], 16, ZMQ_SNDMORE), "send a topic");
    check(zmq_send_const(socket, payload, size, 0), "send a payload");
  }
  for (int i = 0; i < endpoints; i++) zmq_close(sockets[i]);
  zmq_ctx_term(context);
  return 0;
}
