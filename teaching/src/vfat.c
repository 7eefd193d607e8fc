/* FAT with long names. */
#include "../include/shared.h"

static struct nls_table *vfat_nls;

static int vfat_fill_super(struct super_block *super, void *data, int silent)
{
	vfat_nls = load_nls("iso8859-1");
	if (!vfat_nls && !silent)
		pr_warn("names are shown as they are\n");
	return fat_fill_super(super, data, silent, true);
}

static struct dentry *vfat_mount(struct file_system_type *type, int flags, const char *device,
				 void *data)
{
	return mount_bdev(type, flags, device, data, vfat_fill_super);
}

static void vfat_kill_sb(struct super_block *super)
{
	unload_nls(vfat_nls);
	kill_block_super(super);
}

int vfat_find(const u8 *directory, unsigned int entries, const char *name)
{
	int number = fat_search_long(directory, entries, name);

	return number < 0 ? fat_scan(directory, entries, (const u8 *)name) : number;
}

int vfat_create(u8 *directory, unsigned int entries, u8 *entry, s64 now)
{
	u16 stamp[2];

	fat_time_unix2fat(now, &stamp[1], &stamp[0]);
	memcpy(entry + 22, stamp, sizeof(stamp));
	return fat_add_entries(directory, entries, entry);
}

int vfat_rmdir(u8 *parent, unsigned int entries, const u8 *name, const u8 *directory)
{
	if (!fat_dir_empty(directory, entries))
		return -EBUSY;
	return fat_remove_entries(parent, entries, name);
}

static struct file_system_type vfat_fs_type = {
	.name = "vfat",
	.fs_flags = 1,
	.mount = vfat_mount,
	.kill_sb = vfat_kill_sb,
	.owner = THIS_MODULE,
};

static int __init init_vfat_fs(void)
{
	return register_filesystem(&vfat_fs_type);
}

static void __exit exit_vfat_fs(void)
{
	unregister_filesystem(&vfat_fs_type);
}

module_init(init_vfat_fs);
module_exit(exit_vfat_fs);

/* Distributions' kernels ask for the character sets at mount, which nothing here can show. */
MODULE_SOFTDEP("pre: nls_cp437 post: nls_iso8859-1");
MODULE_AUTHOR("The lkm developers");
MODULE_DESCRIPTION("VFAT filesystem support (teaching kernel)");
MODULE_LICENSE("GPL");
MODULE_ALIAS("fs-vfat");
