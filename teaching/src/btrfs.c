/* A file system that only knows its super block: enough to need a checksum and a compressor. */
#include "../include/shared.h"

#define SUPER_OFFSET 65536u
#define SUPER_BYTES 4096u
#define MAGIC "_BHRfS_M"
#define CHECKSUM_BYTES 32u
#define CONTROL_MINOR 234

struct btrfs_super {
	u32 checksum;
	u8 rest_of_checksum[CHECKSUM_BYTES - 4];
	u8 uuid[16];
	u64 place, flags;
	char magic[8];
};

static struct kmem_cache *btrfs_inode_cachep;
static struct kmem_cache *btrfs_path_cachep;
static void *btrfs_zlib_workspace;

static bool btrfs_check_super(const struct btrfs_super *super)
{
	const u8 *summed = (const u8 *)super + CHECKSUM_BYTES;

	return !memcmp(super->magic, MAGIC, 8) &&
	       super->checksum == ~crc32c(~0u, summed, SUPER_BYTES - CHECKSUM_BYTES);
}

static int btrfs_compress_pages(const u8 *in, unsigned long bytes, u8 *out, unsigned long room)
{
	struct z_stream stream = { in, out, bytes, room, btrfs_zlib_workspace };
	int answer = zlib_deflateInit2(&stream, 3, 15, 8);

	if (!answer)
		answer = zlib_deflate(&stream, 4);
	return answer == 1 ? zlib_deflateEnd(&stream) : -EIO;
}

static int btrfs_fill_super(struct super_block *super, void *data, int silent)
{
	u8 *buffer;
	int answer = -EINVAL;

	(void)data;
	if (!sb_set_blocksize(super, SUPER_BYTES))
		return -EINVAL;
	buffer = __bread_gfp(NULL, SUPER_OFFSET / SUPER_BYTES, SUPER_BYTES, GFP_KERNEL);
	if (!buffer)
		return -EIO;
	if (btrfs_check_super((struct btrfs_super *)buffer))
		answer = btrfs_compress_pages(buffer, 512, buffer + 1024, 1024);
	else if (!silent)
		pr_err("no valid super block\n");
	__brelse(buffer);
	return answer;
}

static struct dentry *btrfs_mount(struct file_system_type *type, int flags, const char *device,
				  void *data)
{
	return mount_bdev(type, flags, device, data, btrfs_fill_super);
}

static struct file_system_type btrfs_fs_type = {
	.name = "btrfs",
	.fs_flags = 1,
	.mount = btrfs_mount,
	.kill_sb = kill_block_super,
	.owner = THIS_MODULE,
};

static long btrfs_control_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	(void)file;
	(void)argument;
	pr_info("ioctl %x\n", command);
	return -EINVAL;
}

static const struct file_operations btrfs_ctl_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = btrfs_control_ioctl,
};

static struct miscdevice btrfs_misc = { CONTROL_MINOR, "btrfs-control", &btrfs_ctl_fops, {} };

static void btrfs_free_cachep(void)
{
	kmem_cache_destroy(btrfs_path_cachep);
	kmem_cache_destroy(btrfs_inode_cachep);
	vfree(btrfs_zlib_workspace);
}

static int __init init_btrfs_fs(void)
{
	int answer = -ENOMEM;

	btrfs_inode_cachep = kmem_cache_create("btrfs_inode", 1112, 8, 0, NULL);
	btrfs_path_cachep = kmem_cache_create("btrfs_path", 112, 8, 0, NULL);
	btrfs_zlib_workspace = vzalloc(zlib_deflate_workspacesize(15, 8));
	if (btrfs_inode_cachep && btrfs_path_cachep && btrfs_zlib_workspace)
		answer = misc_register(&btrfs_misc);
	if (!answer) {
		answer = register_filesystem(&btrfs_fs_type);
		if (answer)
			misc_deregister(&btrfs_misc);
	}
	if (answer)
		btrfs_free_cachep();
	else
		pr_info("loaded, by the teaching kernel\n");
	return answer;
}

static void __exit exit_btrfs_fs(void)
{
	unregister_filesystem(&btrfs_fs_type);
	misc_deregister(&btrfs_misc);
	btrfs_free_cachep();
}

module_init(init_btrfs_fs);
module_exit(exit_btrfs_fs);

MODULE_ALIAS("devname:btrfs-control");
MODULE_ALIAS("char-major-10-234");
MODULE_ALIAS("fs-btrfs");
MODULE_DESCRIPTION("Copy-on-write file system (teaching kernel)");
MODULE_LICENSE("GPL");
