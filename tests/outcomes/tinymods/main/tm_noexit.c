// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

TINY_INIT(tm_noexit, 0);
TINY_ABOUT(tm_noexit);
