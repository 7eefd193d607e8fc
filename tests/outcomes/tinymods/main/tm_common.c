// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

int tm_common_var;

TINY(tm_common, tm_common_var);
