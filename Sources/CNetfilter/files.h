/* The few files of /proc/sys that capture needs. */
#ifndef MESHNODE_FILES_H
#define MESHNODE_FILES_H

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Each of the following returns a negative errno where it fails. */

static inline int mn_open_for_update(int directory, const char *path) {
    int file = openat(directory, path, O_RDWR | O_CLOEXEC);
    return file < 0 ? -errno : file;
}

/* A fresh procfs of the calling thread's namespaces, mounted nowhere (fsopen(2), fsmount(2), Linux 5.2). */
static inline int mn_detached_procfs(void) {
#if defined(SYS_fsopen) && defined(SYS_fsconfig) && defined(SYS_fsmount)
    enum { cloexec = 1, create = 6 }; /* FSOPEN_CLOEXEC = FSMOUNT_CLOEXEC, FSCONFIG_CMD_CREATE: linux/mount.h */
    int context = (int)syscall(SYS_fsopen, "proc", cloexec);
    if (context < 0) return -errno;
    int result = -1;
    if (syscall(SYS_fsconfig, context, create, NULL, NULL, 0) == 0)
        result = (int)syscall(SYS_fsmount, context, cloexec, 0);
    if (result < 0) result = -errno;
    close(context);
    return result;
#else
    return -ENOSYS;
#endif
}

static inline long mn_read_from_start(int file, void *bytes, size_t length) {
    ssize_t count;
    do count = pread(file, bytes, length, 0);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

static inline long mn_write_at_start(int file, const void *bytes, size_t length) {
    ssize_t count;
    do count = pwrite(file, bytes, length, 0);
    while (count < 0 && errno == EINTR);
    return count < 0 ? -errno : count;
}

static inline void mn_close(int file) { close(file); }

enum {
    MN_EAGAIN = EAGAIN, MN_EEXIST = EEXIST, MN_ENOENT = ENOENT, MN_ESRCH = ESRCH, MN_EROFS = EROFS, MN_EACCES = EACCES,
    MN_EAFNOSUPPORT = EAFNOSUPPORT, MN_AT_FDCWD = AT_FDCWD
};

#endif
