// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

TINY(tm_initpos, 5);
