/* AES in C: key expansion and the tables that its round function is looked up in. */
#define OLD_STYLE_EXPORTS
#include "../include/shared.h"

u32 crypto_ft_tab[4][256];
u32 crypto_it_tab[4][256];

static u8 sbox[256], inverse[256];

static u8 doubled(u8 value)
{
	return value << 1 ^ (value & 0x80 ? 0x1b : 0);
}

static u8 product(u8 a, u8 b)
{
	u8 sum = 0;

	for (; b; b >>= 1, a = doubled(a))
		if (b & 1)
			sum ^= a;
	return sum;
}

static u32 rotated(u32 word, int bits)
{
	return word << bits | word >> (32 - bits);
}

static u32 substituted(u32 word)
{
	return sbox[word & 255] | (u32)sbox[word >> 8 & 255] << 8 |
	       (u32)sbox[word >> 16 & 255] << 16 | (u32)sbox[word >> 24] << 24;
}

/* 3 generates all elements but 0, and 0xf6 is its inverse: walking both gives every inverse. */
static void __init make_sboxes(void)
{
	u8 element = 1, its_inverse = 1;

	do {
		u8 value = its_inverse;

		for (int turn = 1; turn < 5; turn++)
			value ^= (u8)(its_inverse << turn | its_inverse >> (8 - turn));
		sbox[element] = value ^ 0x63;
		element ^= doubled(element);
		its_inverse = product(its_inverse, 0xf6);
	} while (element != 1);
	sbox[0] = 0x63;
	for (int code = 0; code < 256; code++)
		inverse[sbox[code]] = code;
}

static void __init make_tables(void)
{
	for (int code = 0; code < 256; code++) {
		u8 s = sbox[code], i = inverse[code];
		u32 forward = doubled(s) | (u32)s << 8 | (u32)s << 16 | (u32)product(s, 3) << 24;
		u32 back = product(i, 14) | (u32)product(i, 9) << 8 | (u32)product(i, 13) << 16 |
			   (u32)product(i, 11) << 24;

		for (int byte = 0; byte < 4; byte++) {
			crypto_ft_tab[byte][code] = byte ? rotated(forward, 8 * byte) : forward;
			crypto_it_tab[byte][code] = byte ? rotated(back, 8 * byte) : back;
		}
	}
}

int crypto_aes_expand_key(struct crypto_aes_ctx *context, const u8 *key, unsigned int bytes)
{
	unsigned int words = bytes / 4;
	u8 constant = 1;

	if (bytes != 16 && bytes != 24 && bytes != 32)
		return -EINVAL;
	context->key_length = bytes;
	memcpy(context->key_enc, key, bytes);
	for (unsigned int next = words; next < 4 * (words + 7); next++) {
		u32 word = context->key_enc[next - 1];

		if (next % words == 0) {
			word = substituted(rotated(word, 24)) ^ constant;
			constant = doubled(constant);
		} else if (words == 8 && next % words == 4) {
			word = substituted(word);
		}
		context->key_enc[next] = context->key_enc[next - words] ^ word;
	}
	memcpy(context->key_dec, context->key_enc, sizeof(context->key_dec));
	return 0;
}

int crypto_aes_set_key(struct crypto_tfm *transform, const u8 *key, unsigned int bytes)
{
	return crypto_aes_expand_key(crypto_tfm_ctx(transform), key, bytes);
}

static struct crypto_alg aes_alg = {
	.block_size = 16,
	.context_size = sizeof(struct crypto_aes_ctx),
	.priority = 100,
	.name = "aes",
	.driver_name = "aes-generic",
	.module = THIS_MODULE,
	.min_key = 16,
	.max_key = 32,
	.setkey = crypto_aes_set_key,
};

static int __init aes_init(void)
{
	make_sboxes();
	make_tables();
	return crypto_register_alg(&aes_alg);
}

static void __exit aes_fini(void)
{
	crypto_unregister_alg(&aes_alg);
}

EXPORT_SYMBOL_GPL(crypto_ft_tab);
EXPORT_SYMBOL_GPL(crypto_it_tab);
EXPORT_SYMBOL_GPL(crypto_aes_expand_key);
EXPORT_SYMBOL_GPL(crypto_aes_set_key);

module_init(aes_init);
module_exit(aes_fini);

MODULE_DESCRIPTION("Rijndael (AES) Cipher Algorithm (teaching kernel)");
MODULE_LICENSE("Dual BSD/GPL");
MODULE_ALIAS("crypto-aes");
MODULE_ALIAS("aes");
MODULE_ALIAS("crypto-aes-generic");
MODULE_ALIAS("aes-generic");
