/* What the Glibc module lacks of sockets, epoll and eventfd. */
#ifndef MESHNODE_SOCKETS_H
#define MESHNODE_SOCKETS_H

/* _GNU_SOURCE must not be defined here: the Glibc module is built without it, and the same header read both
 * ways clashes. What is hidden by that is declared below. */
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

extern int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);

static inline int mn_accept4(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* A pipe that never blocks and asks for `size` bytes of room (fcntl(2), F_SETPIPE_SZ); it may get less. */
static inline int mn_pipe(int ends[2], int size) {
    if (syscall(SYS_pipe2, ends, O_CLOEXEC | O_NONBLOCK) < 0) return -1;
    fcntl(ends[1], 1031 /* F_SETPIPE_SZ */, size);
    return 0;
}

/* Moves bytes between a pipe and a socket, inside of the kernel and without blocking on the pipe (splice(2)). */
static inline ssize_t mn_splice(int from, int to, size_t count) {
    return syscall(SYS_splice, from, NULL, to, NULL, count, 3u /* SPLICE_F_MOVE | SPLICE_F_NONBLOCK */);
}

/* Names the calling thread; the kernel keeps 15 bytes. */
static inline void mn_set_thread_name(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

/* linux/in.h and linux/netfilter_ipv4.h clash with netinet/in.h; these two numbers are all that is needed of them. */
enum { MN_SO_ORIGINAL_DST = 80 };

#endif
