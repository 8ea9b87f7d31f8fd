// Receives messages and writes down when each of them came.
//
//   arrivals ENDPOINT COUNT SECONDS FILE
//
// Connects to ENDPOINT and subscribes to everything; or, where that is lcm://ADDRESS:PORT, binds it
// as a server of LCM's tcpq, and says "ready". Receives COUNT messages, and writes FILE: as many
// 64-bit integers, nanoseconds of CLOCK_MONOTONIC, 0 for messages that did not come before the end
// of a connection of LCM. Prints how many came. Gives up after SECONDS, or when nothing comes over
// ZeroMQ for a minute.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zmq.h>

enum { queue_messages_max = 100000, stall_milliseconds_max = 60000 };
// What both ends of LCM's tcpq say first; its numbers are big-endian.
enum { lcm_magic_server = 0x287617fa, lcm_magic_client = 0x287617fb, lcm_version = 0x0100 };

static void check(int result, const char *what) {
  if (result >= 0) return;
  fprintf(stderr, "arrivals: %s: %s\n", what, zmq_strerror(zmq_errno()));
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

static long receive(const char *endpoint, int64_t *times, long count) {
  void *context = zmq_ctx_new();
  void *socket = zmq_socket(context, ZMQ_SUB);
  set(socket, ZMQ_RCVHWM, queue_messages_max);
  set(socket, ZMQ_RCVTIMEO, stall_milliseconds_max);
  set(socket, ZMQ_LINGER, 0);
  check(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0), "subscribe");
  check(zmq_connect(socket, endpoint), endpoint);
  zmq_msg_t frame;
  zmq_msg_init(&frame);
  for (long received = 0; received < count; received++) {
    do check(zmq_msg_recv(&frame, socket, 0), "receive");
    while (zmq_msg_more(&frame));
    times[received] = now();
  }
  zmq_msg_close(&frame);
  zmq_close(socket);
  zmq_ctx_term(context);
  return count;
}

// Waits for a player to connect, and answers what it says first.
static int accept_lcm(const char *endpoint) {
  char address[16];
  unsigned short port;
  struct sockaddr_in name = {.sin_family = AF_INET};
  if (sscanf(endpoint, "lcm://%15[0-9.]:%hu", address, &port) != 2 ||
      inet_aton(address, &name.sin_addr) == 0) {
    fprintf(stderr, "arrivals: %s is no endpoint\n", endpoint);
    exit(64);
  }
  name.sin_port = htons(port);
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  check(listener, "make a socket");
  check(bind(listener, (struct sockaddr *)&name, sizeof name), endpoint);
  check(listen(listener, 1), endpoint);
  printf("ready\n");
  fflush(stdout);
  int peer = accept(listener, NULL, NULL);
  check(peer, "accept");
  close(listener);
  uint32_t greeting[2], answer[2] = {htonl(lcm_magic_server), htonl(lcm_version)};
  check(recv(peer, greeting, sizeof greeting, MSG_WAITALL), "receive");
  if (ntohl(greeting[0]) != lcm_magic_client) {
    fprintf(stderr, "arrivals: the peer is no LCM\n");
    exit(1);
  }
  check(send(peer, answer, sizeof answer, 0), "answer");
  return peer;
}

// Acknowledges at once: LCM sends a message in five pieces, and TCP keeps small ones back until
// what went before is acknowledged.
static void hasten(int peer) {
  int yes = 1;
  check(setsockopt(peer, IPPROTO_TCP, TCP_QUICKACK, &yes, sizeof yes), "set an option");
}

// The bytes of the message at the start of a buffer: type, length and text of the channel, length
// and bytes of the data; 0 where it does not end there.
static size_t lcm_message_bytes(const char *buffer, size_t held) {
  uint32_t channel, data;
  if (held < 8) return 0;
  memcpy(&channel, buffer + 4, 4);
  size_t head = 12 + (size_t)ntohl(channel);
  if (held < head) return 0;
  memcpy(&data, buffer + head - 4, 4);
  size_t all = head + ntohl(data);
  return held < all ? 0 : all;
}

static long receive_lcm(const char *endpoint, int64_t *times, long count) {
  static char buffer[1 << 16];
  size_t held = 0;
  int peer = accept_lcm(endpoint);
  long received = 0;
  while (received < count) {
    hasten(peer);
    ssize_t length = recv(peer, buffer + held, sizeof buffer - held, 0);
    int64_t time = now();
    check(length, "receive");
    if (length == 0) break;
    held += length;
    size_t begin = 0, message;
    while (received < count && (message = lcm_message_bytes(buffer + begin, held - begin)) > 0) {
      times[received++] = time;
      begin += message;
    }
    held -= begin;
    memmove(buffer, buffer + begin, held);
  }
  close(peer);
  return received;
}

int main(int argc, char **argv) {
  if (argc != 5) {
    fprintf(stderr, "usage: arrivals ENDPOINT COUNT SECONDS FILE\n");
    return 64;
  }
  long count = atol(argv[2]);
  alarm(atoi(argv[3]));
  int64_t *times = malloc(count * sizeof *times);
  if (!times) check(-1, "get memory");
  memset(times, 0, count * sizeof *times);

  int is_lcm = strncmp(argv[1], "lcm://", 6) == 0;
  long received = is_lcm ? receive_lcm(argv[1], times, count) : receive(argv[1], times, count);
  FILE *file = fopen(argv[4], "wb");
  if (!file || fwrite(times, sizeof *times, count, file) != (size_t)count || fclose(file) != 0)
    check(-1, argv[4]);
  printf("%ld\n", received);
  return 0;
}
