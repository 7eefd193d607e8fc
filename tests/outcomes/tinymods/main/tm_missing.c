// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

extern int tm_nowhere(int a);
extern int tm_nowhere2(int a);
extern int tm_weak_nowhere(int a) __weak;

TINY(tm_missing, tm_weak_nowhere ? -EINVAL : tm_nowhere(1) + tm_nowhere2(1));
