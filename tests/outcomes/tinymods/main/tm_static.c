// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Local symbols of all kinds, duplicates of names included. */
static noinline int helper(int a)
{
	static int counter;

	return counter += a;
}

static noinline int helper2(int a)
{
	static int counter = 3;

	return counter += a;
}

static const char *const names[] = { "a", "b" };

TINY(tm_static, helper(0) + helper2(0) + names[0][0] > 0 ? 0 : -1);
