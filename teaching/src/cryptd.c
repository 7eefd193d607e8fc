/* Hands encryption to a work queue. Uses symbols of a namespace of the kernel's. */
#include "../include/shared.h"

#define HANDLES 16

static unsigned int cryptd_max_cpu_qlen = 1000;
module_param(cryptd_max_cpu_qlen, uint, 0);
MODULE_PARM_DESC(cryptd_max_cpu_qlen, "Set cryptd Max queue depth");

static struct workqueue_struct *cryptd_wq;
static const struct crypto_cipher *queued[HANDLES];

bool cryptd_cipher_queued(struct crypto_cipher *cipher)
{
	return queued[(unsigned long)cipher % HANDLES] == cipher;
}
EXPORT_SYMBOL_GPL(cryptd_cipher_queued);

struct crypto_cipher *cryptd_alloc_cipher(const char *name)
{
	static const u8 key[16];
	struct crypto_cipher *cipher = (void *)crypto_alloc_shash(name, 0, 0);

	if (cipher && crypto_cipher_setkey(cipher, key, sizeof(key)))
		cipher = NULL;
	if (cipher)
		queued[(unsigned long)cipher % HANDLES] = cipher;
	return cipher;
}
EXPORT_SYMBOL_GPL(cryptd_alloc_cipher);

void cryptd_free_cipher(struct crypto_cipher *cipher)
{
	u8 block[16] = { 0 };

	crypto_cipher_encrypt_one(cipher, block, block);
	queued[(unsigned long)cipher % HANDLES] = NULL;
	crypto_destroy_tfm(cipher, NULL);
}
EXPORT_SYMBOL_GPL(cryptd_free_cipher);

static int cryptd_create(struct crypto_template *template, void **attributes)
{
	(void)attributes;
	pr_info("one more of %s\n", template->name);
	return 0;
}

static struct crypto_template cryptd_tmpl = {
	.name = "cryptd",
	.module = THIS_MODULE,
	.create = cryptd_create,
};

static int __init cryptd_init(void)
{
	int answer;

	cryptd_wq = alloc_workqueue("cryptd", 0, cryptd_max_cpu_qlen);
	if (!cryptd_wq)
		return -ENOMEM;
	answer = crypto_register_template(&cryptd_tmpl);
	if (answer)
		destroy_workqueue(cryptd_wq);
	return answer;
}

static void __exit cryptd_exit(void)
{
	destroy_workqueue(cryptd_wq);
	crypto_unregister_template(&cryptd_tmpl);
}

module_init(cryptd_init);
module_exit(cryptd_exit);

MODULE_IMPORT_NS(CRYPTO_INTERNAL);
MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Software async crypto daemon (teaching kernel)");
MODULE_ALIAS("cryptd");
MODULE_ALIAS("crypto-cryptd");
