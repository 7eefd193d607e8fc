/* The Castagnoli checksum, one bit at a time. */
#include "../include/shared.h"

#define POLYNOMIAL 0x82f63b78u

static u32 table[256] __ro_after_init;

u32 crc32c(u32 crc, const void *data, unsigned int bytes)
{
	const u8 *next = data;

	while (bytes--)
		crc = table[(crc ^ *next++) & 255] ^ crc >> 8;
	return crc;
}
EXPORT_SYMBOL(crc32c);

static int __init libcrc32c_mod_init(void)
{
	for (u32 byte = 0; byte < 256; byte++) {
		u32 crc = byte;

		for (int bit = 0; bit < 8; bit++)
			crc = crc & 1 ? crc >> 1 ^ POLYNOMIAL : crc >> 1;
		table[byte] = crc;
	}
	return crc32c(~0u, "123456789", 9) == ~0xe3069283u ? 0 : -EINVAL;
}

static void __exit libcrc32c_mod_fini(void)
{
}

module_init(libcrc32c_mod_init);
module_exit(libcrc32c_mod_fini);

MODULE_AUTHOR("The lkm developers");
MODULE_DESCRIPTION("CRC32c (Castagnoli) calculations (teaching kernel)");
MODULE_LICENSE("GPL");
