// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

extern int tm_weak_nowhere(int a) __weak;

TINY(tm_weakok, tm_weak_nowhere ? -EINVAL : 0);
