// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Imports one of the two namespaces that it needs. */
extern int tm_expns_gpl(int a);
extern int tm_expns_other(int a);

TINY(tm_useexpns, tm_expns_gpl(1) + tm_expns_other(1) == 9 ? 0 : -EINVAL);
MODULE_IMPORT_NS(TINY_NS(TM_NS));
