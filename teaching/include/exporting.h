/*
 * Exported symbols. Each gets an entry in a section of its own, which the linker script sorts into
 * __ksymtab or __ksymtab_gpl; modpost.py adds the CRC.
 *
 * A source that defines OLD_STYLE_EXPORTS before it includes this gets what 2.6 to 4.x kernels
 * had: absolute addresses instead of distances, no namespace, and a __kcrctab of words that take
 * their value from absolute __crc_ symbols.
 */
#ifndef TEACHING_EXPORTING_H
#define TEACHING_EXPORTING_H

#ifdef OLD_STYLE_EXPORTS

struct kernel_symbol {
	unsigned long value;
	const char *name;
};

#define EXPORT_(symbol, kind, space) \
	extern void *__crc_##symbol __attribute__((weak)); \
	static const unsigned long __kcrctab_##symbol __used __in("___kcrctab" kind "+" #symbol) = \
		(unsigned long)&__crc_##symbol; \
	static const char __kstrtab_##symbol[] __in("__ksymtab_strings") \
		__attribute__((aligned(1))) = #symbol; \
	static const struct kernel_symbol __ksymtab_##symbol __used \
		__in("___ksymtab" kind "+" #symbol) = { (unsigned long)&symbol, __kstrtab_##symbol }

#else

#define EXPORT_(symbol, kind, space) \
	asm(".pushsection \"__ksymtab_strings\",\"aMS\",@progbits,1\n" \
	    "__kstrtab_" #symbol ":\t.asciz \"" #symbol "\"\n" \
	    "__kstrtabns_" #symbol ":\t.asciz \"" space "\"\n" \
	    ".popsection\n" \
	    ".pushsection \"___ksymtab" kind "+" #symbol "\",\"a\"\n" \
	    ".balign 4\n" \
	    "__ksymtab_" #symbol ":\t.long " #symbol " - .\n" \
	    "\t.long __kstrtab_" #symbol " - .\n" \
	    "\t.long __kstrtabns_" #symbol " - .\n" \
	    ".popsection\n")

#endif

#define EXPORT_SYMBOL(symbol) EXPORT_(symbol, "", "")
#define EXPORT_SYMBOL_GPL(symbol) EXPORT_(symbol, "_gpl", "")
#define EXPORT_SYMBOL_NS_GPL(symbol, space) EXPORT_(symbol, "_gpl", #space)

#endif
