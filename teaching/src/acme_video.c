/*
 * The driver of an invented vendor: out of tree, and by its modinfo proprietary, so that it shows
 * what such a module does to a kernel. It may use no GPL-only symbol, and uses none.
 */
#include "../include/kernel.h"

static char *mode = "1024x768";
module_param(mode, charp, 0644);
MODULE_PARM_DESC(mode, "Resolution at start");

static int heads[4] = { 1, 1, 0, 0 };
static unsigned int heads_given;
module_param_array(heads, int, &heads_given, 0444);
MODULE_PARM_DESC(heads, "Which outputs are used, 1 or 0 for each");

static unsigned long clock_khz = 65000;
module_param_named(clock, clock_khz, ulong, 0444);
MODULE_PARM_DESC(clock, "Pixel clock in kHz");

static bool accelerated = true;
module_param_named(noaccel, accelerated, invbool, 0444);
MODULE_PARM_DESC(noaccel, "Draw by the processor");

static ssize_t acme_read(struct file *file, char *text, size_t bytes, loff_t *place)
{
	char line[96];
	int length = snprintf(line, sizeof(line), "%s %lu kHz %d %d %d %d%s\n", mode, clock_khz,
			      heads[0], heads[1], heads[2], heads[3], accelerated ? "" : " noaccel");

	(void)file;
	return simple_read_from_buffer(text, bytes, place, line, length);
}

static const struct file_operations acme_fops = { .owner = THIS_MODULE, .read = acme_read };

static struct miscdevice acme_device = { 255, "acme-video", &acme_fops, {} };

static int __init acme_init(void)
{
	if (heads_given > COUNT(heads) || !clock_khz)
		return -EINVAL;
	return misc_register(&acme_device);
}

static void __exit acme_exit(void)
{
	misc_deregister(&acme_device);
}

module_init(acme_init);
module_exit(acme_exit);

MODULE_VERSION("1.4");
MODULE_LICENSE("Proprietary");
MODULE_AUTHOR("ACME Graphics, an invented company");
MODULE_DESCRIPTION("Graphics driver of an invented vendor (teaching kernel)");
MODULE_ALIAS("platform:acme-video");
