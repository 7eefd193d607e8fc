// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* The file has a dash, the module an underscore. */
TINY(tm_dash, 0);
