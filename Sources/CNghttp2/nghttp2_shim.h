/* libnghttp2 1.52 or later: stream reset rate and CONTINUATION limits came with its security updates. */
#ifndef MESHNODE_NGHTTP2_SHIM_H
#define MESHNODE_NGHTTP2_SHIM_H

#include <nghttp2/nghttp2.h>

#endif
