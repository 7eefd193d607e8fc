/* /dev/parport0 and its like: parallel ports for programs. */
#include "../include/shared.h"

#define PP_MAJOR 99
#define PPCLAIM 0x708b
#define PPRELEASE 0x708c
#define MINORS 4

static struct class *ppdev_class;
static struct pardevice *devices[MINORS];

static int pp_minor(const struct file *file)
{
	return (unsigned long)file % MINORS;
}

static long pp_ioctl(struct file *file, unsigned int command, unsigned long argument)
{
	struct pardevice *device = devices[pp_minor(file)];

	(void)argument;
	if (!device)
		return -ENODEV;
	if (command == PPCLAIM)
		return parport_claim(device);
	if (command != PPRELEASE)
		return -EINVAL;
	parport_release(device);
	return 0;
}

static ssize_t pp_write(struct file *file, const char *text, size_t bytes, loff_t *place)
{
	struct pardevice *device = devices[pp_minor(file)];
	u8 buffer[64];

	(void)place;
	if (!device || !device->claimed)
		return -EINVAL;
	if (bytes > sizeof(buffer))
		bytes = sizeof(buffer);
	if (_copy_from_user(buffer, text, bytes))
		return -EIO;
	return parport_write(device->port, buffer, bytes);
}

static ssize_t pp_read(struct file *file, char *text, size_t bytes, loff_t *place)
{
	struct pardevice *device = devices[pp_minor(file)];
	u8 buffer[64];

	(void)place;
	if (!device || !device->claimed)
		return -EINVAL;
	if (bytes > sizeof(buffer))
		bytes = sizeof(buffer);
	parport_read(device->port, buffer, bytes);
	return _copy_to_user(text, buffer, bytes) ? -EIO : (ssize_t)bytes;
}

static const struct file_operations pp_fops = {
	.owner = THIS_MODULE,
	.read = pp_read,
	.write = pp_write,
	.unlocked_ioctl = pp_ioctl,
};

static void pp_attach(struct parport *port)
{
	for (int minor = 0; minor < MINORS; minor++)
		if (parport_find_number(minor) == port) {
			devices[minor] = parport_register_dev_model(port, "ppdev");
			device_create(ppdev_class, NULL, PP_MAJOR << 20 | minor, NULL, "parport%d",
				      minor);
		}
}

static struct parport_driver pp_driver = { "ppdev", pp_attach };

static int __init ppdev_init(void)
{
	int answer = register_chrdev(PP_MAJOR, "ppdev", &pp_fops);

	if (answer)
		return answer;
	ppdev_class = __class_create(THIS_MODULE, "ppdev");
	answer = __parport_register_driver(&pp_driver, THIS_MODULE);
	if (answer) {
		class_destroy(ppdev_class);
		unregister_chrdev(PP_MAJOR, "ppdev");
	}
	return answer;
}

static void __exit ppdev_cleanup(void)
{
	for (int minor = 0; minor < MINORS; minor++)
		if (devices[minor])
			parport_unregister_device(devices[minor]);
	parport_unregister_driver(&pp_driver);
	class_destroy(ppdev_class);
	unregister_chrdev(PP_MAJOR, "ppdev");
}

module_init(ppdev_init);
module_exit(ppdev_cleanup);

MODULE_LICENSE("GPL");
MODULE_ALIAS("char-major-99-*");
