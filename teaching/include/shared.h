/*
 * What the teaching kernel's modules export to each other.
 *
 * The recipe reads this file, too: each SHARED is the prototype that an export's CRC is made of.
 */
#ifndef TEACHING_SHARED_H
#define TEACHING_SHARED_H

#include "kernel.h"

#define SHARED(...) __VA_ARGS__

struct z_stream {
	const u8 *next_in;
	u8 *next_out;
	unsigned long avail_in, avail_out;
	void *workspace;
};

struct crypto_aes_ctx {
	u32 key_enc[60];
	u32 key_dec[60];
	u32 key_length;
};

struct parport;
struct parport_driver { const char *name; void (*attach)(struct parport *); };
struct pardevice { const char *name; struct parport *port; bool claimed; };
struct us_data;

/* zlib_deflate */
SHARED(int zlib_deflate_workspacesize(int window_bits, int memory_level));
SHARED(int zlib_deflateInit2(struct z_stream *stream, int level, int window_bits, int memory_level));
SHARED(int zlib_deflate(struct z_stream *stream, int flush));
SHARED(int zlib_deflateReset(struct z_stream *stream));
SHARED(int zlib_deflateEnd(struct z_stream *stream));

/* libcrc32c */
SHARED(u32 crc32c(u32 crc, const void *data, unsigned int bytes));

/* fat */
SHARED(int fat_fill_super(struct super_block *super, void *data, int silent, bool long_names));
SHARED(int fat_scan(const u8 *directory, unsigned int entries, const u8 *name));
SHARED(int fat_search_long(const u8 *directory, unsigned int entries, const char *name));
SHARED(int fat_add_entries(u8 *directory, unsigned int entries, const u8 *entry));
SHARED(int fat_remove_entries(u8 *directory, unsigned int entries, const u8 *name));
SHARED(bool fat_dir_empty(const u8 *directory, unsigned int entries));
SHARED(s64 fat_time_fat2unix(u16 date, u16 time));
SHARED(void fat_time_unix2fat(s64 seconds, u16 *date, u16 *time));
SHARED(void __fat_fs_error(struct super_block *super, const char *problem));

/* aes_generic */
SHARED(extern u32 crypto_ft_tab[4][256]);
SHARED(extern u32 crypto_it_tab[4][256]);
SHARED(int crypto_aes_expand_key(struct crypto_aes_ctx *context, const u8 *key, unsigned int bytes));
SHARED(int crypto_aes_set_key(struct crypto_tfm *transform, const u8 *key, unsigned int bytes));

/* aes_x86_64 */
SHARED(void crypto_aes_encrypt_x86(struct crypto_aes_ctx *context, u8 *out, const u8 *in));
SHARED(void crypto_aes_decrypt_x86(struct crypto_aes_ctx *context, u8 *out, const u8 *in));

/* cryptd */
SHARED(struct crypto_cipher *cryptd_alloc_cipher(const char *name));
SHARED(bool cryptd_cipher_queued(struct crypto_cipher *cipher));
SHARED(void cryptd_free_cipher(struct crypto_cipher *cipher));

/* parport */
SHARED(struct parport *parport_register_port(unsigned long base, int irq));
SHARED(void parport_put_port(struct parport *port));
SHARED(struct parport *parport_find_number(int number));
SHARED(struct pardevice *parport_register_dev_model(struct parport *port, const char *name));
SHARED(void parport_unregister_device(struct pardevice *device));
SHARED(int __parport_register_driver(struct parport_driver *driver, struct module *owner));
SHARED(void parport_unregister_driver(struct parport_driver *driver));
SHARED(int parport_claim(struct pardevice *device));
SHARED(void parport_release(struct pardevice *device));
SHARED(ssize_t parport_read(struct parport *port, void *data, size_t bytes));
SHARED(ssize_t parport_write(struct parport *port, const void *data, size_t bytes));

/* usb-storage */
SHARED(int usb_stor_probe1(struct us_data **us, struct usb_interface *interface));
SHARED(int usb_stor_probe2(struct us_data *us));
SHARED(void usb_stor_disconnect(struct usb_interface *interface));
SHARED(int usb_stor_reset(struct us_data *us));

#endif
