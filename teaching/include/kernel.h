/*
 * What the teaching kernel exports, and the types that its modules see.
 *
 * The recipe reads this file, too: each PLAIN, GPL_ONLY and GPL_ONLY_IN is one export of the
 * kernel, and the CRC of an export is that of its prototype's text.
 */
#ifndef TEACHING_KERNEL_H
#define TEACHING_KERNEL_H

#include "module.h"

#define PLAIN(...) __VA_ARGS__
#define GPL_ONLY(...) __VA_ARGS__
#define GPL_ONLY_IN(space, ...) __VA_ARGS__

#define GFP_KERNEL 0xcc0u
#define KERN_INFO "\001" "6"
#define KERN_WARNING "\001" "4"
#define KERN_ERR "\001" "3"
#define pr_info(...) _printk(KERN_INFO KBUILD_MODNAME ": " __VA_ARGS__)
#define pr_warn(...) _printk(KERN_WARNING KBUILD_MODNAME ": " __VA_ARGS__)
#define pr_err(...) _printk(KERN_ERR KBUILD_MODNAME ": " __VA_ARGS__)

struct attribute_group;
struct bio;
struct block_device;
struct class;
struct crypto_cipher;
struct crypto_shash;
struct crypto_tfm;
struct dentry;
struct device;
struct ethtool_cmd;
struct file;
struct filename;
struct firmware;
struct inode;
struct kmem_cache;
struct kstat;
struct linux_binprm;
struct mii_if_info;
struct net_device;
struct page;
struct pci_dev;
struct proc_dir_entry;
struct scsi_host_template;
struct Scsi_Host;
struct sk_buff;
struct super_block;
struct task_struct;
struct usb_device;
struct usb_interface;
struct work_struct;
struct workqueue_struct;

typedef struct { u32 locked; } spinlock_t;
struct mutex { long owner; spinlock_t wait_lock; void *waiters[2]; };
struct list_head { struct list_head *next, *prev; };

struct file_operations {
	struct module *owner;
	ssize_t (*read)(struct file *, char *, size_t, loff_t *);
	ssize_t (*write)(struct file *, const char *, size_t, loff_t *);
	long (*unlocked_ioctl)(struct file *, unsigned int, unsigned long);
	int (*open)(struct inode *, struct file *);
	int (*release)(struct inode *, struct file *);
};

struct miscdevice {
	int minor;
	const char *name;
	const struct file_operations *fops;
	struct list_head list;
};

struct file_system_type {
	const char *name;
	int fs_flags;
	struct dentry *(*mount)(struct file_system_type *, int, const char *, void *);
	void (*kill_sb)(struct super_block *);
	struct module *owner;
	struct file_system_type *next;
};

struct linux_binfmt {
	struct list_head list;
	struct module *module;
	int (*load_binary)(struct linux_binprm *);
};

struct nls_table {
	const char *charset;
	int (*uni2char)(u16 unicode, unsigned char *out, int limit);
	int (*char2uni)(const unsigned char *text, int limit, u16 *unicode);
	const unsigned char *lower;
	const unsigned char *upper;
	struct module *owner;
	struct nls_table *next;
};

struct crypto_alg {
	struct list_head list;
	u32 flags, block_size, context_size;
	int priority;
	const char *name, *driver_name;
	struct module *module;
	u32 min_key, max_key;
	int (*setkey)(struct crypto_tfm *, const u8 *key, unsigned int bytes);
	void (*encrypt)(struct crypto_tfm *, u8 *out, const u8 *in);
	void (*decrypt)(struct crypto_tfm *, u8 *out, const u8 *in);
};

struct crypto_template {
	struct list_head list;
	const char *name;
	struct module *module;
	int (*create)(struct crypto_template *, void **attributes);
};

struct pci_device_id { u32 vendor, device, subvendor, subdevice, class, class_mask; };
struct pci_driver {
	const char *name;
	const struct pci_device_id *ids;
	int (*probe)(struct pci_dev *, const struct pci_device_id *);
	void (*remove)(struct pci_dev *);
};

struct usb_device_id { u16 vendor, product; u8 class, subclass, protocol; unsigned long flags; };
struct usb_driver {
	const char *name;
	const struct usb_device_id *ids;
	int (*probe)(struct usb_interface *, const struct usb_device_id *);
	void (*disconnect)(struct usb_interface *);
};

/* The loader itself, and what every module may need. */
PLAIN(void module_layout(struct module *mod, struct kernel_param *kp, void *ks, void *ex));
PLAIN(void __x86_return_thunk(void));
PLAIN(void __x86_indirect_thunk_rax(void));
PLAIN(void __x86_indirect_thunk_rbx(void));
PLAIN(void __x86_indirect_thunk_rcx(void));
PLAIN(void __x86_indirect_thunk_rdx(void));
PLAIN(void __x86_indirect_thunk_rsi(void));
PLAIN(void __x86_indirect_thunk_rdi(void));
PLAIN(void __x86_indirect_thunk_rbp(void));
PLAIN(void __x86_indirect_thunk_r8(void));
PLAIN(void __x86_indirect_thunk_r9(void));
PLAIN(void __x86_indirect_thunk_r10(void));
PLAIN(void __x86_indirect_thunk_r11(void));
PLAIN(void __x86_indirect_thunk_r12(void));
PLAIN(void __x86_indirect_thunk_r13(void));
PLAIN(void __x86_indirect_thunk_r14(void));
PLAIN(void __x86_indirect_thunk_r15(void));
PLAIN(void __fentry__(void));
PLAIN(void __stack_chk_fail(void));
PLAIN(int _printk(const char *format, ...));
PLAIN(void panic(const char *format, ...));
PLAIN(void dump_stack(void));
PLAIN(void __module_get(struct module *module));
PLAIN(bool try_module_get(struct module *module));
PLAIN(void module_put(struct module *module));
PLAIN(void *__symbol_get(const char *symbol));
GPL_ONLY(void __symbol_put(const char *symbol));
PLAIN(int __request_module(bool wait, const char *format, ...));
PLAIN(int register_module_notifier(void *block));
PLAIN(int unregister_module_notifier(void *block));
GPL_ONLY(int sprint_symbol(char *buffer, unsigned long address));

/* Parameters. */
PLAIN(extern const struct kernel_param_ops param_ops_byte);
PLAIN(extern const struct kernel_param_ops param_ops_short);
PLAIN(extern const struct kernel_param_ops param_ops_ushort);
PLAIN(extern const struct kernel_param_ops param_ops_int);
PLAIN(extern const struct kernel_param_ops param_ops_uint);
PLAIN(extern const struct kernel_param_ops param_ops_long);
PLAIN(extern const struct kernel_param_ops param_ops_ulong);
PLAIN(extern const struct kernel_param_ops param_ops_ullong);
PLAIN(extern const struct kernel_param_ops param_ops_hexint);
PLAIN(extern const struct kernel_param_ops param_ops_charp);
PLAIN(extern const struct kernel_param_ops param_ops_bool);
PLAIN(extern const struct kernel_param_ops param_ops_invbool);
PLAIN(extern const struct kernel_param_ops param_ops_string);
PLAIN(extern const struct kernel_param_ops param_array_ops);
PLAIN(int param_set_int(const char *text, const struct kernel_param *parameter));
PLAIN(int param_get_int(char *buffer, const struct kernel_param *parameter));

/* Memory and text. */
PLAIN(void *__kmalloc(size_t bytes, u32 flags));
PLAIN(void kfree(const void *memory));
PLAIN(size_t ksize(const void *memory));
PLAIN(void *krealloc(const void *memory, size_t bytes, u32 flags));
PLAIN(char *kstrdup(const char *text, u32 flags));
PLAIN(void *vmalloc(unsigned long bytes));
PLAIN(void *vzalloc(unsigned long bytes));
PLAIN(void vfree(const void *memory));
PLAIN(void *kvmalloc_node(size_t bytes, u32 flags, int node));
PLAIN(void kvfree(const void *memory));
PLAIN(struct kmem_cache *kmem_cache_create(const char *name, u32 bytes, u32 alignment, u32 flags, void (*constructor)(void *)));
PLAIN(void kmem_cache_destroy(struct kmem_cache *cache));
PLAIN(void *kmem_cache_alloc(struct kmem_cache *cache, u32 flags));
PLAIN(void kmem_cache_free(struct kmem_cache *cache, void *object));
PLAIN(int kmem_cache_shrink(struct kmem_cache *cache));
PLAIN(void *memcpy(void *to, const void *from, size_t bytes));
PLAIN(void *memmove(void *to, const void *from, size_t bytes));
PLAIN(void *memset(void *memory, int value, size_t bytes));
PLAIN(int memcmp(const void *a, const void *b, size_t bytes));
PLAIN(size_t strlen(const char *text));
PLAIN(int strcmp(const char *a, const char *b));
PLAIN(int strncmp(const char *a, const char *b, size_t bytes));
PLAIN(char *strchr(const char *text, int character));
PLAIN(ssize_t strscpy(char *to, const char *from, size_t bytes));
PLAIN(int sprintf(char *buffer, const char *format, ...));
PLAIN(int snprintf(char *buffer, size_t bytes, const char *format, ...));
PLAIN(int kstrtoint(const char *text, unsigned int base, int *result));
PLAIN(unsigned long _copy_to_user(void *to, const void *from, unsigned long bytes));
PLAIN(unsigned long _copy_from_user(void *to, const void *from, unsigned long bytes));

/* Locks, time, work. */
PLAIN(void _raw_spin_lock(spinlock_t *lock));
PLAIN(void _raw_spin_unlock(spinlock_t *lock));
PLAIN(unsigned long _raw_spin_lock_irqsave(spinlock_t *lock));
PLAIN(void _raw_spin_unlock_irqrestore(spinlock_t *lock, unsigned long flags));
PLAIN(void mutex_lock(struct mutex *lock));
PLAIN(int mutex_trylock(struct mutex *lock));
PLAIN(void mutex_unlock(struct mutex *lock));
PLAIN(void schedule(void));
PLAIN(void msleep(unsigned int milliseconds));
PLAIN(extern volatile unsigned long jiffies);
PLAIN(void *ktime_get_real_seconds(void));
GPL_ONLY(s64 ktime_get(void));
GPL_ONLY(struct workqueue_struct *alloc_workqueue(const char *format, unsigned int flags, int active, ...));
GPL_ONLY(void destroy_workqueue(struct workqueue_struct *queue));
PLAIN(bool queue_work_on(int cpu, struct workqueue_struct *queue, struct work_struct *work));
PLAIN(void flush_work(struct work_struct *work));
GPL_ONLY(void synchronize_rcu(void));
PLAIN(void wake_up_process(struct task_struct *task));

/* Files and file systems. */
PLAIN(int register_filesystem(struct file_system_type *type));
PLAIN(int unregister_filesystem(struct file_system_type *type));
PLAIN(struct dentry *mount_bdev(struct file_system_type *type, int flags, const char *device, void *data, int (*fill)(struct super_block *, void *, int)));
PLAIN(struct dentry *mount_nodev(struct file_system_type *type, int flags, void *data, int (*fill)(struct super_block *, void *, int)));
PLAIN(struct dentry *mount_single(struct file_system_type *type, int flags, void *data, int (*fill)(struct super_block *, void *, int)));
PLAIN(void kill_block_super(struct super_block *super));
PLAIN(void kill_litter_super(struct super_block *super));
PLAIN(int simple_fill_super(struct super_block *super, unsigned long magic, const void *files));
PLAIN(ssize_t simple_read_from_buffer(void *to, size_t bytes, loff_t *position, const void *from, size_t available));
PLAIN(struct inode *new_inode(struct super_block *super));
PLAIN(void iput(struct inode *inode));
PLAIN(void clear_inode(struct inode *inode));
PLAIN(void __mark_inode_dirty(struct inode *inode, int flags));
PLAIN(struct dentry *d_make_root(struct inode *inode));
PLAIN(void dput(struct dentry *dentry));
PLAIN(int sb_set_blocksize(struct super_block *super, int bytes));
PLAIN(void *__bread_gfp(struct block_device *device, u64 block, unsigned int bytes, u32 flags));
PLAIN(void __brelse(void *buffer));
PLAIN(int sync_blockdev(struct block_device *device));
PLAIN(int register_chrdev(unsigned int major, const char *name, const struct file_operations *operations));
PLAIN(void unregister_chrdev(unsigned int major, const char *name));
PLAIN(int misc_register(struct miscdevice *device));
PLAIN(void misc_deregister(struct miscdevice *device));
PLAIN(loff_t noop_llseek(struct file *file, loff_t offset, int whence));
PLAIN(loff_t generic_file_llseek(struct file *file, loff_t offset, int whence));
PLAIN(struct proc_dir_entry *proc_create(const char *name, u16 mode, struct proc_dir_entry *parent, const void *operations));
PLAIN(void remove_proc_entry(const char *name, struct proc_dir_entry *parent));
PLAIN(int __register_nls(struct nls_table *table, struct module *owner));
PLAIN(int unregister_nls(struct nls_table *table));
PLAIN(struct nls_table *load_nls(const char *charset));
PLAIN(struct nls_table *load_nls_default(void));
PLAIN(void unload_nls(struct nls_table *table));
PLAIN(int utf8_to_utf32(const u8 *text, int limit, u32 *unicode));
PLAIN(void __register_binfmt(struct linux_binfmt *format, int insert));
PLAIN(void unregister_binfmt(struct linux_binfmt *format));
PLAIN(struct file *open_exec(const char *name));
PLAIN(int bprm_change_interp(const char *interpreter, struct linux_binprm *program));

/* Ciphers and checksums. */
GPL_ONLY(int crypto_register_alg(struct crypto_alg *algorithm));
GPL_ONLY(void crypto_unregister_alg(struct crypto_alg *algorithm));
GPL_ONLY(int crypto_register_template(struct crypto_template *template));
GPL_ONLY(void crypto_unregister_template(struct crypto_template *template));
GPL_ONLY(struct crypto_shash *crypto_alloc_shash(const char *name, u32 type, u32 mask));
GPL_ONLY(int crypto_shash_update(void *request, const u8 *data, unsigned int bytes));
GPL_ONLY(void crypto_destroy_tfm(void *memory, struct crypto_tfm *transform));
GPL_ONLY(void *crypto_tfm_ctx(struct crypto_tfm *transform));
GPL_ONLY_IN(CRYPTO_INTERNAL, int crypto_cipher_setkey(struct crypto_cipher *cipher, const u8 *key, unsigned int bytes));
GPL_ONLY_IN(CRYPTO_INTERNAL, void crypto_cipher_encrypt_one(struct crypto_cipher *cipher, u8 *out, const u8 *in));
GPL_ONLY_IN(CRYPTO_INTERNAL, void crypto_cipher_decrypt_one(struct crypto_cipher *cipher, u8 *out, const u8 *in));
PLAIN(u32 crc32_le(u32 crc, const u8 *data, size_t bytes));
PLAIN(u32 __crc32c_le(u32 crc, const u8 *data, size_t bytes));
PLAIN(u16 crc16(u16 crc, const u8 *data, size_t bytes));
PLAIN(void get_random_bytes(void *to, size_t bytes));

/* Devices. */
GPL_ONLY(struct class *__class_create(struct module *owner, const char *name));
GPL_ONLY(void class_destroy(struct class *class));
GPL_ONLY(struct device *device_create(struct class *class, struct device *parent, u32 number, void *data, const char *format, ...));
GPL_ONLY(void device_destroy(struct class *class, u32 number));
PLAIN(int request_firmware(const struct firmware **firmware, const char *name, struct device *device));
PLAIN(void release_firmware(const struct firmware *firmware));
PLAIN(int __pci_register_driver(struct pci_driver *driver, struct module *owner, const char *name));
PLAIN(void pci_unregister_driver(struct pci_driver *driver));
PLAIN(int pci_enable_device(struct pci_dev *device));
PLAIN(void pci_disable_device(struct pci_dev *device));
PLAIN(void pci_set_master(struct pci_dev *device));
PLAIN(struct device *pci_device_of(struct pci_dev *device));
PLAIN(struct net_device *alloc_etherdev_mqs(int bytes, unsigned int send, unsigned int receive));
PLAIN(void free_netdev(struct net_device *device));
PLAIN(int register_netdev(struct net_device *device));
PLAIN(void unregister_netdev(struct net_device *device));
PLAIN(int netif_rx(struct sk_buff *packet));
PLAIN(void mii_check_link(struct mii_if_info *link));
PLAIN(int mii_link_ok(struct mii_if_info *link));
PLAIN(int mii_nway_restart(struct mii_if_info *link));
GPL_ONLY(int usb_register_driver(struct usb_driver *driver, struct module *owner, const char *name));
GPL_ONLY(void usb_deregister(struct usb_driver *driver));
GPL_ONLY(struct usb_device *usb_get_dev(struct usb_device *device));
GPL_ONLY(void usb_put_dev(struct usb_device *device));
GPL_ONLY(int usb_bulk_msg(struct usb_device *device, unsigned int pipe, void *data, int bytes, int *done, int timeout));
GPL_ONLY(int usb_reset_device(struct usb_device *device));
PLAIN(struct Scsi_Host *scsi_host_alloc(struct scsi_host_template *template, int bytes));
PLAIN(void scsi_host_put(struct Scsi_Host *host));
PLAIN(void scsi_scan_host(struct Scsi_Host *host));
PLAIN(void scsi_remove_host(struct Scsi_Host *host));
PLAIN(int request_irq(unsigned int irq, void *handler, unsigned long flags, const char *name, void *data));
PLAIN(void free_irq(unsigned int irq, void *data));

#endif
