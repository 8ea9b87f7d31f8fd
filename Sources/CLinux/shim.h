// What Linux has and Swift's Glibc module leaves out: GNU-only functions and newer constants.
#pragma once
#include <arpa/inet.h>
#include <malloc.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <time.h>

int fallocate(int file, int mode, off_t offset, off_t length);
int ppoll(struct pollfd *items, nfds_t count, const struct timespec *timeout, const void *mask);

static const int eventfd_flags = EFD_CLOEXEC | EFD_NONBLOCK;

// Linux 5.14: fault a range in now, and report what an access would have died of.
static const int madv_populate_read = 22;
static const int madv_populate_write = 23;

// The name that `top -H` shows of the calling thread: at most 15 bytes.
int prctl(int operation, ...);
static inline int set_thread_name(const char *name) { return prctl(15 /* PR_SET_NAME */, name); }

// How nice the calling thread is to others, from 0 to 19. A thread by itself is Linux's own.
static inline int set_thread_niceness(int niceness) {
  return setpriority(PRIO_PROCESS, 0, niceness);
}

// Lets the calling thread go on where another runs only when that one's turn is over.
static inline int set_thread_patient(void) {
  const struct sched_param parameters = {0};
  return sched_setscheduler(0, 3 /* SCHED_BATCH */, &parameters);
}

// Lets the calling thread run on one CPU only.
int sched_setaffinity(pid_t thread, size_t size, const void *mask);
static inline int set_thread_cpu(int cpu) {
  unsigned long mask[1024 / (8 * sizeof(long))] = {0};
  mask[cpu / (8 * sizeof(long))] = 1UL << cpu % (8 * sizeof(long));
  return sched_setaffinity(0, sizeof mask, mask);
}

// malloc keeps pieces of up to so many bytes, and so many at its end, when they are freed.
static inline void keep_freed_memory(int bytes) {
  mallopt(M_MMAP_THRESHOLD, bytes);
  mallopt(M_TRIM_THRESHOLD, bytes);
}

// Bytes that a connection has taken and its peer has not: unread (AF_UNIX), unacknowledged (TCP).
int ioctl(int file, unsigned long request, ...);
static inline int undelivered_bytes(int file) {
  int count = 0;
  return ioctl(file, 0x5411 /* SIOCOUTQ */, &count) == 0 ? count : -1;
}

// Bytes that a connection takes before it is full; -1 where it cannot be told.
static inline int send_buffer(int file) {
  int size = 0;
  socklen_t length = sizeof size;
  return getsockopt(file, SOL_SOCKET, SO_SNDBUF, &size, &length) == 0 ? size : -1;
}

// The kernel doubles what it is told, and tells that; it makes of too little what it can.
static inline int set_send_buffer(int file, int size) {
  int half = size / 2;
  return setsockopt(file, SOL_SOCKET, SO_SNDBUF, &half, sizeof half);
}

// 127.0.0.0/8 or ::1, however it is written.
static inline int is_loopback(const struct sockaddr_storage *address) {
  if (address->ss_family == AF_INET) {
    return ntohl(((const struct sockaddr_in *)address)->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
  }
  if (address->ss_family != AF_INET6) return 0;
  const struct in6_addr *host = &((const struct sockaddr_in6 *)address)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(host) ||
         (IN6_IS_ADDR_V4MAPPED(host) && host->s6_addr[12] == IN_LOOPBACKNET);
}

// Gives Reno, which every kernel has, to a TCP connection with a loopback address that has BBR, and to a
// socket that listens at one: what it accepts has what it has. BBR, which some systems use for all,
// holds back what it sends to what it measured, on a way that loses nothing. A connection that began
// with BBR is still paced, though less. Source: `tcp(7)`, TCP_CONGESTION.
static inline void replace_bbr_on_loopback(int file) {
  enum { tcp_congestion = 13 };
  char name[16] = "";
  socklen_t size = sizeof name;
  if (getsockopt(file, IPPROTO_TCP, tcp_congestion, name, &size) != 0) return;
  if (strncmp(name, "bbr", strlen("bbr")) != 0) return;  // bbr2 is one, too
  struct sockaddr_storage address = {0};
  size = sizeof address;
  if (getpeername(file, (struct sockaddr *)&address, &size) != 0) {
    // It listens, or its peer is gone.
    size = sizeof address;
    getsockname(file, (struct sockaddr *)&address, &size);
  }
  if (is_loopback(&address))
    setsockopt(file, IPPROTO_TCP, tcp_congestion, "reno", strlen("reno"));
}

// Grows whenever the peer of a TCP connection takes something: bytes acknowledged; -1 for others.
static inline int64_t acknowledged_bytes(int file) {
  // struct tcp_info of linux/tcp.h, which Swift's Glibc module has in an older form.
  union { unsigned char bytes[256]; uint64_t numbers[32]; } info = {0};
  socklen_t size = sizeof info;
  enum { tcpi_bytes_acked = 120 };
  if (getsockopt(file, IPPROTO_TCP, 11 /* TCP_INFO */, &info, &size) != 0) return -1;
  return size >= tcpi_bytes_acked + 8 ? (int64_t)info.numbers[tcpi_bytes_acked / 8] : -1;
}

// Who is at the other end of a connection, in words: an address and port, or a process. 0, or -1 where
// it cannot be told.
enum { peer_name_size = 80 };
static inline int peer_name(int file, char *text) {
  union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct sockaddr_storage storage;
  } address;
  socklen_t size = sizeof address;
  if (getpeername(file, &address.any, &size) != 0) return -1;
  char host[INET6_ADDRSTRLEN];
  if (address.any.sa_family == AF_INET) {
    inet_ntop(AF_INET, &address.v4.sin_addr, host, sizeof host);
    snprintf(text, peer_name_size, "%s:%d", host, ntohs(address.v4.sin_port));
  } else if (address.any.sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &address.v6.sin6_addr, host, sizeof host);
    snprintf(text, peer_name_size, "[%s]:%d", host, ntohs(address.v6.sin6_port));
  } else if (address.any.sa_family == AF_UNIX) {
    struct { pid_t pid; uid_t uid; gid_t gid; } peer;  // struct ucred
    size = sizeof peer;
    if (getsockopt(file, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return -1;
    snprintf(text, peer_name_size, "process %d", peer.pid);
  } else {
    return -1;
  }
  return 0;
}

// How exactly the calling thread is woken: 50 us too late without this.
static inline int set_timer_slack(unsigned long nanoseconds) {
  return prctl(29 /* PR_SET_TIMERSLACK */, nanoseconds);
}

// The magic number of the file system that a path is on; -1 and errno when it cannot be told.
static inline long file_system_type(const char *path) {
  struct statfs status;
  return statfs(path, &status) == 0 ? (long)(unsigned int)status.f_type : -1;
}

// Asks for a cache line that will be read soon. Any address may be asked for.
static inline void prefetch_line(const void *place) { __builtin_prefetch(place); }
