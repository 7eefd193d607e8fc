// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Its init follows a pointer that leads nowhere. */
static int *nowhere;

TINY(tm_oops, READ_ONCE(*nowhere));
