/* Latin 1, whose characters are the first 256 of Unicode. */
#include "../include/kernel.h"

static unsigned char lower[256], upper[256];

static int uni2char(u16 unicode, unsigned char *out, int limit)
{
	if (limit <= 0 || unicode > 255)
		return -EINVAL;
	*out = unicode;
	return 1;
}

static int char2uni(const unsigned char *text, int limit, u16 *unicode)
{
	if (limit <= 0)
		return -EINVAL;
	*unicode = *text;
	return 1;
}

static struct nls_table table = { "iso8859-1", uni2char, char2uni, lower, upper, NULL, NULL };

static bool is_lower(int code)
{
	return (code >= 'a' && code <= 'z') || (code >= 0xe0 && code < 0xff && code != 0xf7);
}

static int __init init_nls_iso8859_1(void)
{
	for (int code = 0; code < 256; code++)
		lower[code] = upper[code] = code;
	for (int code = 0; code < 256; code++)
		if (is_lower(code)) {
			upper[code] = code - 32;
			lower[code - 32] = code;
		}
	return __register_nls(&table, THIS_MODULE);
}

static void __exit exit_nls_iso8859_1(void)
{
	unregister_nls(&table);
}

module_init(init_nls_iso8859_1);
module_exit(exit_nls_iso8859_1);

MODULE_DESCRIPTION("NLS ISO 8859-1, Latin 1 (teaching kernel)");
MODULE_LICENSE("Dual BSD/GPL");
