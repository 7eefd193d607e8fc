/* What all FAT file systems share: directory entries, dates, and the super block. */
#include "../include/shared.h"

#define ENTRY 32u
#define NAME_BYTES 11
#define DELETED 0xe5
#define EPOCH_DAYS 3652 /* from 1970 to 1980, where FAT's dates begin */
#define DAY 86400

static struct kmem_cache *fat_cache_cachep;
static struct kmem_cache *fat_inode_cachep;

static const u16 days_before_month[] = { 0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334 };

int fat_scan(const u8 *directory, unsigned int entries, const u8 *name)
{
	for (unsigned int number = 0; number < entries; number++)
		if (!memcmp(directory + number * ENTRY, name, NAME_BYTES))
			return number;
	return -ENOENT;
}
EXPORT_SYMBOL_GPL(fat_scan);

/* Compares the 13 characters of each long-name entry, which are two bytes each. */
int fat_search_long(const u8 *directory, unsigned int entries, const char *name)
{
	static const u8 places[] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
	size_t length = strlen(name);

	for (unsigned int number = 0; number < entries; number++) {
		const u8 *entry = directory + number * ENTRY;
		unsigned int same = 0;

		if (entry[11] != 0x0f)
			continue;
		while (same < sizeof(places) && same < length && entry[places[same]] == (u8)name[same])
			same++;
		if (same == length)
			return number;
	}
	return -ENOENT;
}
EXPORT_SYMBOL_GPL(fat_search_long);

int fat_add_entries(u8 *directory, unsigned int entries, const u8 *entry)
{
	for (unsigned int number = 0; number < entries; number++) {
		u8 *place = directory + number * ENTRY;

		if (*place && *place != DELETED)
			continue;
		memcpy(place, entry, ENTRY);
		return number;
	}
	return -ENOSPC;
}
EXPORT_SYMBOL_GPL(fat_add_entries);

int fat_remove_entries(u8 *directory, unsigned int entries, const u8 *name)
{
	int number = fat_scan(directory, entries, name);

	if (number >= 0)
		directory[number * ENTRY] = DELETED;
	return number < 0 ? number : 0;
}
EXPORT_SYMBOL_GPL(fat_remove_entries);

bool fat_dir_empty(const u8 *directory, unsigned int entries)
{
	for (unsigned int number = 0; number < entries; number++) {
		u8 first = directory[number * ENTRY];

		if (first && first != DELETED && first != '.')
			return false;
	}
	return true;
}
EXPORT_SYMBOL_GPL(fat_dir_empty);

s64 fat_time_fat2unix(u16 date, u16 time)
{
	u32 year = date >> 9, month = date >> 5 & 15, day = date & 31;
	u32 days = year * 365 + (year + 3) / 4 + EPOCH_DAYS + day - 1;

	days += days_before_month[(month + 11) % 12] + (year % 4 == 0 && month > 2);
	return (s64)days * DAY + (time >> 11) * 3600 + (time >> 5 & 63) * 60 + (time & 31) * 2;
}
EXPORT_SYMBOL_GPL(fat_time_fat2unix);

void fat_time_unix2fat(s64 seconds, u16 *date, u16 *time)
{
	u32 day = seconds / DAY - EPOCH_DAYS, rest = seconds % DAY;
	u32 year = day / 1461 * 4, month = 12;

	day %= 1461;
	if (day >= 366) {
		year += 1 + (day - 366) / 365;
		day = (day - 366) % 365;
	}
	while (month > 1 && day < days_before_month[month - 1] + (u32)(year % 4 == 0 && month > 2))
		month--;
	day -= days_before_month[month - 1] + (year % 4 == 0 && month > 2);
	*date = year << 9 | month << 5 | (day + 1);
	*time = rest / 3600 << 11 | rest / 60 % 60 << 5 | rest % 60 / 2;
}
EXPORT_SYMBOL_GPL(fat_time_unix2fat);

void __fat_fs_error(struct super_block *super, const char *problem)
{
	(void)super;
	pr_err("error: %s\n", problem);
}
EXPORT_SYMBOL_GPL(__fat_fs_error);

int fat_fill_super(struct super_block *super, void *data, int silent, bool long_names)
{
	u8 *sector;
	int answer = 0;

	(void)data;
	if (!sb_set_blocksize(super, 512))
		return -EINVAL;
	sector = __bread_gfp(NULL, 0, 512, GFP_KERNEL);
	if (!sector)
		return -EIO;
	if (sector[510] != 0x55 || sector[511] != 0xaa) {
		if (!silent)
			__fat_fs_error(super, long_names ? "no VFAT" : "no FAT");
		answer = -EINVAL;
	}
	__brelse(sector);
	return answer;
}
EXPORT_SYMBOL_GPL(fat_fill_super);

static int __init init_fat_fs(void)
{
	fat_cache_cachep = kmem_cache_create("fat_cache", 40, 8, 0, NULL);
	if (!fat_cache_cachep)
		return -ENOMEM;
	fat_inode_cachep = kmem_cache_create("fat_inode_cache", 744, 8, 0, NULL);
	if (!fat_inode_cachep) {
		kmem_cache_destroy(fat_cache_cachep);
		return -ENOMEM;
	}
	return 0;
}

static void __exit exit_fat_fs(void)
{
	kmem_cache_destroy(fat_inode_cachep);
	kmem_cache_destroy(fat_cache_cachep);
}

module_init(init_fat_fs);
module_exit(exit_fat_fs);

MODULE_LICENSE("GPL");
