/* What the Glibc module lacks of namespaces, capabilities and descriptor passing. */
#ifndef MESHNODE_PRIVILEGED_H
#define MESHNODE_PRIVILEGED_H
/* No _GNU_SOURCE here: see sockets.h. */
#endif
