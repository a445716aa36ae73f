/* What the Glibc module lacks of anonymous files in memory. */
#ifndef MESHNODE_MEMORY_H
#define MESHNODE_MEMORY_H

#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* linux/memfd.h and linux/fcntl.h: fcntl.h hides the seals behind _GNU_SOURCE, and memfd.h is not everywhere. */
enum {
    MN_ADD_SEALS = 1033,
    MN_GET_SEALS = 1034,
    MN_SEAL_SEAL = 0x01,
    MN_SEAL_SHRINK = 0x02,
    MN_SEAL_GROW = 0x04,
    MN_SEAL_WRITE = 0x08,
    MN_MEMFD_CLOEXEC = 0x01,
    MN_MEMFD_ALLOW_SEALING = 0x02,
    MN_MEMFD_NOEXEC_SEAL = 0x08
};

/* A file in memory that can be sealed, closed on exec. It cannot be made executable where the kernel knows that
 * (6.3 and later); earlier ones refuse the flag. */
static inline int mn_memfd_create(const char *name) {
    int fd = (int)syscall(SYS_memfd_create, name, MN_MEMFD_CLOEXEC | MN_MEMFD_ALLOW_SEALING | MN_MEMFD_NOEXEC_SEAL);
    if (fd >= 0 || errno != EINVAL) return fd;
    return (int)syscall(SYS_memfd_create, name, MN_MEMFD_CLOEXEC | MN_MEMFD_ALLOW_SEALING);
}

static inline int mn_add_seals(int fd, int seals) { return fcntl(fd, MN_ADD_SEALS, seals); }

static inline int mn_get_seals(int fd) { return fcntl(fd, MN_GET_SEALS); }

#endif
