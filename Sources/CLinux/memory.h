/* What the Glibc module lacks of anonymous files in memory, and of the memory that a program is mapped to. */
#ifndef MESHNODE_MEMORY_H
#define MESHNODE_MEMORY_H

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
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

/* What dl_iterate_phdr(3) tells of a program or library; link.h has it only with _GNU_SOURCE. */
struct mn_loaded_object {
    uintptr_t base;
    const char *name;
    const Elf64_Phdr *segments;
    uint16_t segment_count;
};

int mn_each_loaded_object(int (*body)(struct mn_loaded_object *, size_t, void *), void *data)
    __asm__("dl_iterate_phdr");

static inline int mn_release_read_only_segments(struct mn_loaded_object *object, size_t size, void *data) {
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    (void)size;
    (void)data;
    for (int index = 0; index < object->segment_count; index++) {
        const Elf64_Phdr *segment = &object->segments[index];
        /* A segment that may be written holds relocations and variables, also behind RELRO: those would be lost. */
        if (segment->p_type != PT_LOAD || (segment->p_flags & PF_W)) continue;
        uintptr_t start = (object->base + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (object->base + segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

/* Unmaps the pages of code and constants, which come back from the page cache when they are touched, and gives free
 * memory of the heap back. */
static inline void mn_release_unused_memory(void) {
    mn_each_loaded_object(mn_release_read_only_segments, NULL);
    malloc_trim(0);
}

#endif
