// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

TINY_EXIT(tm_exitonly);
TINY_ABOUT(tm_exitonly);
