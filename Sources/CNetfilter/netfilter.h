/* nf_tables through libnftnl and libmnl. netinet/in.h must come first: linux/netfilter.h has an in_addr of its own. */
#ifndef MESHNODE_NETFILTER_H
#define MESHNODE_NETFILTER_H

#include <netinet/in.h>

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

#include <libmnl/libmnl.h>
#include <libnftnl/chain.h>
#include <libnftnl/common.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>
#include <libnftnl/table.h>

enum { MN_NETLINK_NETFILTER = NETLINK_NETFILTER, MN_NETLINK_ROUTE = NETLINK_ROUTE };

/* Each of the following returns a negative errno where it fails. */

static inline int mn_netlink_open(int bus, struct mnl_socket **result) {
    struct mnl_socket *netlink = mnl_socket_open2(bus, SOCK_CLOEXEC);
    if (netlink == NULL) return -errno;
    /* The kernel answers within the send; the limit is for a kernel that does not. */
    struct timeval limit = {.tv_sec = 2, .tv_usec = 0};
    if (mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID) < 0 ||
        setsockopt(mnl_socket_get_fd(netlink), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0) {
        int problem = errno;
        mnl_socket_close(netlink);
        return -problem;
    }
    *result = netlink;
    return 0;
}

static inline long mn_netlink_send(const struct mnl_socket *netlink, const void *bytes, size_t length) {
    ssize_t sent;
    do sent = mnl_socket_sendto(netlink, bytes, length);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : sent;
}

/* wait = 0: -EAGAIN where nothing is queued. A message that does not fit is -ENOSPC, never cut. */
static inline long mn_netlink_receive(const struct mnl_socket *netlink, void *bytes, size_t length, int wait) {
    ssize_t received;
    do received = recv(mnl_socket_get_fd(netlink), bytes, length, MSG_TRUNC | (wait ? 0 : MSG_DONTWAIT));
    while (received < 0 && errno == EINTR);
    if (received < 0) return -errno;
    return (size_t)received > length ? -ENOSPC : received;
}

/* The error in an NLMSG_ERROR message (0 is an acknowledgement); -EBADMSG where the message is too short. */
static inline int mn_netlink_error(const struct nlmsghdr *message) {
    if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nlmsgerr)) return -EBADMSG;
    return ((const struct nlmsgerr *)mnl_nlmsg_get_payload(message))->error;
}

/* The first attribute of the type behind an extra header of the length; NULL where there is none. */
static inline const struct nlattr *mn_attribute(const struct nlmsghdr *message, size_t header, uint16_t type) {
    const struct nlattr *attribute;
    if (mnl_nlmsg_get_payload_len(message) < header) return NULL;
    mnl_attr_for_each(attribute, message, header) {
        if (mnl_attr_get_type(attribute) == type) return attribute;
    }
    return NULL;
}

/* The attribute's four bytes; false where it is missing or of another length. */
static inline bool mn_attribute_u32(const struct nlmsghdr *message, size_t header, uint16_t type, uint32_t *number) {
    const struct nlattr *attribute = mn_attribute(message, header, type);
    if (attribute == NULL || mnl_attr_get_payload_len(attribute) != 4) return false;
    *number = mnl_attr_get_u32(attribute);
    return true;
}

/* The first attribute of the type inside another; NULL where there is none, or no other. */
static inline const struct nlattr *mn_nested_attribute(const struct nlattr *nest, uint16_t type) {
    const struct nlattr *attribute;
    if (nest == NULL) return NULL;
    mnl_attr_for_each_nested(attribute, nest) {
        if (mnl_attr_get_type(attribute) == type) return attribute;
    }
    return NULL;
}

/* Of glibc 2.32; hidden without _GNU_SOURCE, which would change fd_set against other modules. */
extern const char *strerrordesc_np(int number);

static inline const char *mn_error_text(int number) { return strerrordesc_np(number); }

#endif
