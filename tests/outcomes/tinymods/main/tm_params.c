// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

static int i = 1;
module_param(i, int, 0644);
MODULE_PARM_DESC(i, "an int");
static unsigned int u = 2;
module_param(u, uint, 0444);
static unsigned char by;
module_param(by, byte, 0444);
static bool b;
module_param(b, bool, 0644);
static bool inv;
module_param(inv, invbool, 0644);
static char *s = "def";
module_param(s, charp, 0444);
static char buf[8] = "buf";
module_param_string(str, buf, sizeof(buf), 0444);
static int arr[4] = { 1, 2 };
static int narr = 2;
module_param_array(arr, int, &narr, 0444);
static int hidden;
module_param(hidden, int, 0);
static int renamed_var;
module_param_named(renamed, renamed_var, int, 0444);
static int two_words;
module_param(two_words, int, 0444);
static int danger;
module_param_unsafe(danger, int, 0444);

TINY(tm_params, 0);
