/* What the Glibc module lacks of namespaces, processes, capabilities and descriptor passing. */
#ifndef MESHNODE_PRIVILEGED_H
#define MESHNODE_PRIVILEGED_H

/* No prototype that hides behind _GNU_SOURCE is used: the Glibc module is built without it. */
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <linux/sock_diag.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/file.h>
#include <sys/inotify.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- namespaces ---- */

enum { MN_CLONE_NEWNET = 0x40000000, MN_CLONE_NEWCGROUP = 0x02000000, MN_SO_NETNS_COOKIE = 71 };

static inline int mn_setns(int fd, int kind) { return (int)syscall(SYS_setns, fd, kind); }

/* A detached mount of the cgroup v2 hierarchy, as this thread's cgroup namespace sees it: it needs no mount
 * point, so it works where /sys/fs/cgroup is read-only, hybrid or missing. -1 and errno if it fails. */
static inline int mn_open_cgroup2(void) {
    int context = (int)syscall(SYS_fsopen, "cgroup2", 1 /* FSOPEN_CLOEXEC */);
    if (context < 0) return -1;
    int mount = -1;
    if (syscall(SYS_fsconfig, context, 6 /* FSCONFIG_CMD_CREATE */, NULL, NULL, 0) == 0)
        mount = (int)syscall(SYS_fsmount, context, 1 /* FSMOUNT_CLOEXEC */, 0);
    int code = errno;
    close(context);
    errno = code;
    return mount;
}

/* openat with no variable arguments. */
static inline int mn_openat(int directory, const char *path, int flags, mode_t mode) {
    return openat(directory, path, flags | O_CLOEXEC, mode);
}

static inline int mn_mkdirat(int directory, const char *path, mode_t mode) { return mkdirat(directory, path, mode); }

static inline int mn_unlinkat(int directory, const char *path, int flags) { return unlinkat(directory, path, flags); }

static inline int mn_rename(const char *from, const char *to) { return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0); }

/* ---- messages with descriptors ---- */

enum { MN_MAX_DESCRIPTORS = 128 };

static inline int mn_message_pair(int *pair) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
}

static inline int mn_stream_pair(int *pair) {
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair);
}

static inline ssize_t mn_send_message(int fd, const void *bytes, size_t count, const int *descriptors, int descriptor_count) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * MN_MAX_DESCRIPTORS)];
        struct cmsghdr align;
    } control;
    struct iovec vector = {(void *)bytes, count};
    struct msghdr message = {0};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    if (descriptor_count < 0 || descriptor_count > MN_MAX_DESCRIPTORS) {
        errno = EINVAL;
        return -1;
    }
    if (descriptor_count > 0) {
        size_t length = sizeof(int) * (size_t)descriptor_count;
        memset(&control, 0, sizeof control);
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(length);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(length);
        memcpy(CMSG_DATA(header), descriptors, length);
    }
    return sendmsg(fd, &message, MSG_NOSIGNAL);
}

/* descriptors has room for MN_MAX_DESCRIPTORS. flags becomes msg_flags. Whatever descriptors came are the caller's. */
static inline ssize_t mn_receive_message(int fd, void *bytes, size_t capacity, int *descriptors, int *descriptor_count,
                                         int *flags) {
    union {
        char bytes[CMSG_SPACE(sizeof(int) * MN_MAX_DESCRIPTORS)];
        struct cmsghdr align;
    } control;
    struct iovec vector = {bytes, capacity};
    struct msghdr message = {0};
    message.msg_iov = &vector;
    message.msg_iovlen = 1;
    message.msg_control = control.bytes;
    message.msg_controllen = sizeof control.bytes;
    *descriptor_count = 0;
    *flags = 0;
    ssize_t result = recvmsg(fd, &message, MSG_CMSG_CLOEXEC);
    if (result < 0) return result;
    *flags = message.msg_flags;
    for (struct cmsghdr *header = CMSG_FIRSTHDR(&message); header; header = CMSG_NXTHDR(&message, header)) {
        if (header->cmsg_level != SOL_SOCKET || header->cmsg_type != SCM_RIGHTS) continue;
        int received = (int)((header->cmsg_len - CMSG_LEN(0)) / sizeof(int));
        for (int index = 0; index < received && *descriptor_count < MN_MAX_DESCRIPTORS; index++) {
            memcpy(descriptors + *descriptor_count, CMSG_DATA(header) + sizeof(int) * (size_t)index, sizeof(int));
            *descriptor_count += 1;
        }
    }
    return result;
}

/* Laid out as struct ucred. */
struct mn_peer {
    pid_t pid;
    uid_t uid;
    gid_t gid;
};

static inline int mn_peer_credentials(int fd, struct mn_peer *peer) {
    socklen_t length = sizeof *peer;
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, peer, &length);
}

/* ---- processes ---- */

struct mn_spawn {
    const char *path;
    char *const *arguments;
    char *const *environment;
    const int *descriptors; /* descriptors[i] becomes 3 + i; everything else is closed */
    int descriptor_count;
    uid_t uid;
    gid_t gid;
    int drops_privileges; /* ids, every capability, bounding set included, and no_new_privs */
    int parent_death_signal; /* 0: none */
    int is_session_leader;
};

/* The child's half of mn_spawn; only async-signal-safe calls. Returns the step that failed, errno set. */
static inline const char *mn_become(const struct mn_spawn *spawn, int report) {
    int base = 3 + spawn->descriptor_count;
    int safe[64];
    if (spawn->descriptor_count > 64) {
        errno = EINVAL;
        return "descriptors";
    }
    for (int index = 0; index < spawn->descriptor_count; index++) {
        safe[index] = fcntl(spawn->descriptors[index], F_DUPFD_CLOEXEC, base);
        if (safe[index] < 0) return "dup";
    }
    for (int index = 0; index < spawn->descriptor_count; index++)
        if (dup2(safe[index], 3 + index) < 0) return "dup2";
    if (syscall(SYS_close_range, (unsigned)base, ~0u, 4u /* CLOSE_RANGE_CLOEXEC */) < 0 && errno != ENOSYS && errno != EINVAL)
        return "close_range";

    for (int number = 1; number < NSIG; number++)
        if (number != SIGKILL && number != SIGSTOP) signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    if (sigprocmask(SIG_SETMASK, &none, NULL) < 0) return "sigprocmask";
    if (spawn->is_session_leader && setsid() < 0) return "setsid";

    if (spawn->drops_privileges) {
        if (syscall(SYS_setgroups, 0, NULL) < 0) return "setgroups";
        if (syscall(SYS_setresgid, spawn->gid, spawn->gid, spawn->gid) < 0) return "setresgid";
        prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
        for (int capability = 0; capability < 64; capability++)
            if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) < 0) {
                if (errno == EINVAL) break;
                return "PR_CAPBSET_DROP";
            }
        if (syscall(SYS_setresuid, spawn->uid, spawn->uid, spawn->uid) < 0) return "setresuid";
        struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
        struct __user_cap_data_struct data[2];
        memset(data, 0, sizeof data);
        if (syscall(SYS_capset, &header, data) < 0) return "capset";
        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return "PR_SET_NO_NEW_PRIVS";
    }
    if (spawn->parent_death_signal && prctl(PR_SET_PDEATHSIG, spawn->parent_death_signal, 0, 0, 0) < 0)
        return "PR_SET_PDEATHSIG";
    (void)report;
    execve(spawn->path, spawn->arguments, spawn->environment);
    return "execve";
}

struct mn_spawn_failure {
    int code;
    char step[28];
};

/* fork and exec. The pid, or -1 with what failed, in this process or in the child, in `failure`. Between fork and
 * exec only the C above runs. */
static inline pid_t mn_spawn_process(const struct mn_spawn *spawn, struct mn_spawn_failure *failure) {
    int report[2];
    memset(failure, 0, sizeof *failure);
    if (syscall(SYS_pipe2, report, O_CLOEXEC) < 0) {
        failure->code = errno;
        strncpy(failure->step, "pipe2", sizeof failure->step - 1);
        return -1;
    }
    pid_t pid = fork();
    if (pid < 0) {
        failure->code = errno;
        strncpy(failure->step, "fork", sizeof failure->step - 1);
        close(report[0]);
        close(report[1]);
        return -1;
    }
    if (pid == 0) {
        int channel = fcntl(report[1], F_DUPFD_CLOEXEC, 3 + spawn->descriptor_count + 64);
        if (channel < 0) _exit(127);
        struct mn_spawn_failure own;
        memset(&own, 0, sizeof own);
        const char *step = mn_become(spawn, channel);
        own.code = errno;
        strncpy(own.step, step, sizeof own.step - 1);
        (void)!write(channel, &own, sizeof own);
        _exit(127);
    }
    close(report[1]);
    ssize_t count;
    do count = read(report[0], failure, sizeof *failure);
    while (count < 0 && errno == EINTR);
    close(report[0]);
    if (count == 0) return pid;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {
    }
    if (count < 0) failure->code = errno;
    failure->step[sizeof failure->step - 1] = 0;
    return -1;
}

static inline int mn_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

static inline int mn_pidfd_signal(int pidfd, int number) {
    return (int)syscall(SYS_pidfd_send_signal, pidfd, number, NULL, 0);
}

/* 1: it has ended, code and was_killed are set; 0: it lives; -1: errno. */
static inline int mn_reap(int pidfd, int *code, int *was_killed) {
    siginfo_t info;
    memset(&info, 0, sizeof info);
    if (waitid((idtype_t)3 /* P_PIDFD */, (id_t)pidfd, &info, WEXITED | WNOHANG) < 0) return -1;
    if (info.si_pid == 0) return 0;
    *code = info.si_status;
    *was_killed = info.si_code != CLD_EXITED;
    return 1;
}

/* Blocks the signals of `numbers` in this thread and returns a descriptor that tells of them. */
static inline int mn_open_signals(const int *numbers, int count) {
    sigset_t set;
    sigemptyset(&set);
    for (int index = 0; index < count; index++) sigaddset(&set, numbers[index]);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0) return -1;
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The next signal's number, or -1 and errno. */
static inline int mn_read_signal(int fd) {
    struct signalfd_siginfo info;
    ssize_t count = read(fd, &info, sizeof info);
    return count == (ssize_t)sizeof info ? (int)info.ssi_signo : -1;
}

static inline void mn_ignore_sigpipe(void) { signal(SIGPIPE, SIG_IGN); }

/* ---- rights and limits ---- */

/* The effective capabilities of this thread as a bit set. */
static inline int mn_effective_capabilities(uint64_t *set) {
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2];
    memset(data, 0, sizeof data);
    if (syscall(SYS_capget, &header, data) < 0) return -1;
    *set = (uint64_t)data[1].effective << 32 | data[0].effective;
    return 0;
}

/* Raises the soft limit of open files to `wanted`, or to the hard limit if that is lower and cannot be raised. The
 * limit that now holds, or -1. */
static inline int64_t mn_raise_descriptor_limit(uint64_t wanted) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    if (limit.rlim_cur >= wanted) return (int64_t)(limit.rlim_cur > INT64_MAX ? INT64_MAX : limit.rlim_cur);
    if (limit.rlim_max < wanted) {
        struct rlimit higher = {wanted, wanted};
        if (setrlimit(RLIMIT_NOFILE, &higher) == 0) return (int64_t)wanted;
        wanted = limit.rlim_max;
    }
    limit.rlim_cur = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) < 0) return -1;
    return (int64_t)wanted;
}

static inline int mn_lock_file(int fd) { return flock(fd, LOCK_EX | LOCK_NB); }

/* ---- seccomp ---- */

#if defined(__x86_64__)
#define MN_AUDIT_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define MN_AUDIT_ARCH AUDIT_ARCH_AARCH64
#else
#error "the seccomp filter knows x86-64 and arm64"
#endif

#define MN_REFUSE(number) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM)
#define MN_LACK(number) \
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS)

/* Installs the deny-list in this thread, or in every thread of this process. Calls that libraries probe for and replace are ENOSYS (clone3,
 * whose flags a filter cannot see, and io_uring), the others EPERM. */
static inline int mn_deny_dangerous_calls(int in_all_threads) {
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MN_AUDIT_ARCH, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
#if defined(__x86_64__)
        /* The x32 numbers would dodge the list. */
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        MN_REFUSE(SYS_iopl),
        MN_REFUSE(SYS_ioperm),
        MN_REFUSE(SYS_mknod),
#endif
        MN_REFUSE(SYS_setns),
        MN_REFUSE(SYS_unshare),
        MN_REFUSE(SYS_mount),
        MN_REFUSE(SYS_umount2),
        MN_REFUSE(SYS_fsopen),
        MN_REFUSE(SYS_fsconfig),
        MN_REFUSE(SYS_fsmount),
        MN_REFUSE(SYS_fspick),
        MN_REFUSE(SYS_move_mount),
        MN_REFUSE(SYS_open_tree),
        MN_REFUSE(442 /* mount_setattr */),
        MN_REFUSE(SYS_pivot_root),
        MN_REFUSE(SYS_chroot),
        MN_REFUSE(SYS_mknodat),
        MN_REFUSE(SYS_ptrace),
        MN_REFUSE(SYS_process_vm_readv),
        MN_REFUSE(SYS_process_vm_writev),
        MN_REFUSE(SYS_kcmp),
        MN_REFUSE(438 /* pidfd_getfd */),
        MN_REFUSE(SYS_bpf),
        MN_REFUSE(SYS_perf_event_open),
        MN_REFUSE(SYS_kexec_load),
        MN_REFUSE(SYS_kexec_file_load),
        MN_REFUSE(SYS_init_module),
        MN_REFUSE(SYS_finit_module),
        MN_REFUSE(SYS_delete_module),
        MN_REFUSE(SYS_keyctl),
        MN_REFUSE(SYS_add_key),
        MN_REFUSE(SYS_request_key),
        MN_REFUSE(SYS_open_by_handle_at),
        MN_REFUSE(SYS_name_to_handle_at),
        MN_REFUSE(SYS_userfaultfd),
        MN_REFUSE(SYS_fanotify_init),
        MN_REFUSE(SYS_reboot),
        MN_REFUSE(SYS_swapon),
        MN_REFUSE(SYS_swapoff),
        MN_REFUSE(SYS_acct),
        MN_REFUSE(SYS_quotactl),
        MN_REFUSE(SYS_syslog),
        MN_REFUSE(SYS_settimeofday),
        MN_REFUSE(SYS_clock_settime),
        MN_REFUSE(SYS_adjtimex),
        MN_REFUSE(SYS_sethostname),
        MN_REFUSE(SYS_setdomainname),
        MN_REFUSE(SYS_personality),
        MN_REFUSE(SYS_execve),
        MN_REFUSE(SYS_execveat),
        MN_LACK(SYS_io_uring_setup),
        MN_LACK(SYS_io_uring_enter),
        MN_LACK(SYS_io_uring_register),
        MN_LACK(SYS_clone3),
        /* clone makes threads, but no namespaces: CLONE_NEWNS, CGROUP, UTS, IPC, USER, PID, NET. The low word of the
         * first argument; both architectures are little-endian. */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x7e020000, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {(unsigned short)(sizeof code / sizeof code[0]), code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) return -1;
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
                          in_all_threads ? SECCOMP_FILTER_FLAG_TSYNC : 0ul, &program);
    if (result > 0) {
        errno = ESRCH; /* a thread could not be synchronised */
        return -1;
    }
    return (int)result;
}

/* ---- sock_diag ---- */

struct mn_diag_request {
    struct nlmsghdr header;
    struct inet_diag_req_v2 body;
};

static inline int mn_open_diag(void) {
    return socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
}

/* Asks for a dump of the TCP sockets of `family` in the states of the bit set `states`. */
static inline ssize_t mn_diag_dump(int fd, int family, uint32_t states) {
    struct mn_diag_request request;
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
    request.body.sdiag_family = (uint8_t)family;
    request.body.sdiag_protocol = IPPROTO_TCP;
    request.body.idiag_states = states;
    return send(fd, &request, sizeof request, 0);
}

/* Asks to abort the TCP socket that `identity` names. */
static inline ssize_t mn_diag_destroy(int fd, int family, const struct inet_diag_sockid *identity) {
    struct mn_diag_request request;
    memset(&request, 0, sizeof request);
    request.header.nlmsg_len = sizeof request;
    request.header.nlmsg_type = SOCK_DESTROY;
    request.header.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
    request.body.sdiag_family = (uint8_t)family;
    request.body.sdiag_protocol = IPPROTO_TCP;
    request.body.idiag_states = ~0u;
    request.body.id = *identity;
    return send(fd, &request, sizeof request, 0);
}

#endif
