// Publishes messages of two frames from memory, as fast as its subscriber takes them, and loses
// none: what a replay at full speed is measured against.
//
//   sender HOW ENDPOINT COUNT SIZE MEMORY
//
// HOW is `constant`: frames are passed by pointer and sent in place, as messages with no free
// function, but for those that libzmq holds in the message itself (33 bytes or less), which are
// cheaper copied. Or `copying`: zmq_send copies each frame. Binds ENDPOINT, waits for a
// subscription, then sends COUNT messages: a topic of 16 bytes and a payload of SIZE bytes. They
// lie one behind the other, as in a capture, and fill MEMORY bytes, all of it written and read
// before; at its end it begins anew. XPUB with no-drop waits while the subscriber is full. Gives up
// after ten minutes, or when nothing moves for one.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

enum { topic_bytes = 16, topics = 4, line_bytes = 64, inline_bytes_max = 33 };
enum { seconds_max = 600, stall_milliseconds_max = 60000 };
// As many as zcap lets wait. What waits copied takes memory, which is bounded as in publisher.c.
enum { queue_messages_max = 10000, queue_messages_min = 100, queue_bytes_max = 64 << 20 };

static void check(int result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "sender: %s: %s\n", what, zmq_strerror(zmq_errno()));
  exit(1);
}

static void set(void *socket, int option, int value) {
  check(zmq_setsockopt(socket, option, &value, sizeof value), "set an option");
}

static void send_copy(void *socket, char *frame, size_t size, int flags) {
  check(zmq_send(socket, frame, size, flags), "send a frame");
}

static void send_in_place(void *socket, char *frame, size_t size, int flags) {
  zmq_msg_t message;
  if (size <= inline_bytes_max) {
    send_copy(socket, frame, size, flags);
    return;
  }
  check(zmq_msg_init_data(&message, frame, size, NULL, NULL), "make a message");
  check(zmq_msg_send(&message, socket, flags), "send a frame");
}

// The messages, each on lines of its own: the topic, then the payload on the next line.
static char *make_messages(size_t count, size_t stride) {
  char *memory = malloc(count * stride);
  if (!memory) check(-1, "get memory");
  memset(memory, 1, count * stride);
  for (size_t i = 0; i < count; i++) {
    char name[topic_bytes + 1];
    snprintf(name, sizeof name, "topic/%010u", (unsigned)(i % topics));
    memcpy(memory + i * stride, name, topic_bytes);
  }
  volatile char sum = 0;
  for (size_t i = 0; i < count * stride; i += line_bytes) sum += memory[i];
  return memory;
}

int main(int argc, char **argv) {
  int is_constant = argc == 6 && strcmp(argv[1], "constant") == 0;
  if (argc != 6 || (!is_constant && strcmp(argv[1], "copying") != 0)) {
    fprintf(stderr, "usage: sender constant|copying ENDPOINT COUNT SIZE MEMORY\n");
    return 64;
  }
  long count = atol(argv[3]), size = atol(argv[4]), memory_bytes = atol(argv[5]);
  alarm(seconds_max);

  size_t stride = line_bytes + (size + line_bytes - 1) / line_bytes * line_bytes;
  size_t laid_out = memory_bytes / stride > 0 ? memory_bytes / stride : 1;
  char *memory = make_messages(laid_out, stride);

  long queue = is_constant ? queue_messages_max : queue_bytes_max / (size + topic_bytes);
  if (queue > queue_messages_max) queue = queue_messages_max;
  if (queue < queue_messages_min) queue = queue_messages_min;
  void *context = zmq_ctx_new();
  void *socket = zmq_socket(context, ZMQ_XPUB);
  set(socket, ZMQ_SNDHWM, queue);
  set(socket, ZMQ_XPUB_NODROP, 1);
  set(socket, ZMQ_SNDTIMEO, stall_milliseconds_max);
  set(socket, ZMQ_RCVTIMEO, stall_milliseconds_max);
  set(socket, ZMQ_LINGER, stall_milliseconds_max);
  check(zmq_bind(socket, argv[2]), argv[2]);
  char subscription[256];
  check(zmq_recv(socket, subscription, sizeof subscription, 0), "wait for a subscriber");

  void (*send)(void *, char *, size_t, int) = is_constant ? send_in_place : send_copy;
  size_t next = 0;
  for (long sent = 0; sent < count; sent++) {
    char *message = memory + next * stride;
    send(socket, message, topic_bytes, ZMQ_SNDMORE);
    send(socket, message + line_bytes, size, 0);
    if (++next == laid_out) next = 0;
  }
  zmq_close(socket);
  zmq_ctx_term(context);  // the messages point into the memory until here
  free(memory);
  return 0;
}
