// SPDX-License-Identifier: MIT OR GPL-2.0
#include "../tiny.h"

/* Symbols of the rarer kinds: absolute, weak, without a type, in a section of notes. */
asm(".globl tm_symbols_abs\n.set tm_symbols_abs, 0x1234\n"
    ".pushsection .note.tiny, \"a\", @note\n.long 5, 4, 1\n.asciz \"Tiny\"\n.balign 4\n"
    "tm_symbols_note: .long 42\n.popsection\n"
    ".pushsection .data\ntm_symbols_untyped: .quad 1\n.popsection\n");

int tm_symbols_object __weak = 1;
int tm_symbols_function(void);

int __weak tm_symbols_function(void)
{
	return tm_symbols_object;
}

TINY(tm_symbols, tm_symbols_function() - 1);
