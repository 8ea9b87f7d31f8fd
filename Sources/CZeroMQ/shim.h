#pragma once
#include <sys/socket.h>
#include <sys/un.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include <zmq.h>

// Whether somebody listens at the path of an ipc endpoint, as far as can be told: who binds it at the
// same moment is not seen.
static inline int is_unix_path_answered(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) return 0;
  strcpy(address.sun_path, path);
  int file = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (file < 0) return 0;
  // EAGAIN: more wait there already than it takes. EPROTOTYPE: who listens speaks otherwise.
  int answered = connect(file, (struct sockaddr *)&address, sizeof address) == 0 ||
                 errno == EAGAIN || errno == EPROTOTYPE;
  close(file);
  return answered;
}
