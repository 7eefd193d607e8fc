// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

TINY(tm_meta, 0);
MODULE_AUTHOR("tinymods");
MODULE_VERSION("1.2.3");
MODULE_ALIAS("tm-alias-*");
MODULE_ALIAS("pci:v0000FACEd0000BEEFsv*sd*bc*sc*i*");
MODULE_FIRMWARE("tinymods/fw.bin");
MODULE_SOFTDEP("pre: tm_ok post: tm_exp");
