/* What the Glibc module lacks of sockets, epoll and eventfd. */
#ifndef MESHNODE_SOCKETS_H
#define MESHNODE_SOCKETS_H

/* _GNU_SOURCE must not be defined here: the Glibc module is built without it, and the same header read both
 * ways clashes. What is hidden by that is declared below. */
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

extern int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags);

static inline int mn_accept4(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

/* Names the calling thread; the kernel keeps 15 bytes. */
static inline void mn_set_thread_name(const char *name) {
    prctl(PR_SET_NAME, name, 0, 0, 0);
}

/* linux/in.h and linux/netfilter_ipv4.h clash with netinet/in.h; these two numbers are all that is needed of them. */
enum { MN_SO_ORIGINAL_DST = 80 };

#endif
