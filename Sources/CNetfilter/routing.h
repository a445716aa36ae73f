/* Policy rules and routes through rtnetlink. */
#ifndef MESHNODE_ROUTING_H
#define MESHNODE_ROUTING_H

#include <netinet/in.h>

#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>

enum { MN_AF_INET = AF_INET, MN_AF_INET6 = AF_INET6 };

#endif
