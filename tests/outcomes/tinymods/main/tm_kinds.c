// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* The kinds of parameters that tm_params lacks. */
static bool bint_var;
static int bint = 1;
module_param(bint, bint, 0444);
module_param_named(plain, bint_var, bool, 0444);
static unsigned int hex = 0xabc;
module_param(hex, hexint, 0444);
static short sh = -1;
module_param(sh, short, 0444);
static unsigned short ush = 1;
module_param(ush, ushort, 0444);
static long lo = -2;
module_param(lo, long, 0444);
static unsigned long ulo = 2;
module_param(ulo, ulong, 0444);
static unsigned long long ull = 3;
module_param(ull, ullong, 0444);
static bool enable_only;
module_param(enable_only, bool_enable_only, 0644);
static char *words[3] = { "one" };
static int nwords = 1;
module_param_array(words, charp, &nwords, 0444);
static unsigned char bytes[4];
module_param_array(bytes, byte, NULL, 0444);
static bool flags[2];
module_param_array(flags, bool, NULL, 0444);
static char buf[4] = "abc";
module_param_string(str, buf, sizeof(buf), 0);

TINY(tm_kinds, 0);
