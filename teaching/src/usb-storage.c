/* USB sticks and disks. What it exports, to drivers of odd devices, is in a namespace. */
#include "../include/shared.h"

#define QUIRKS_BYTES 128

static unsigned int delay_use = 1;
module_param(delay_use, uint, 0644);
MODULE_PARM_DESC(delay_use, "seconds to delay before using a new device");

static char quirks[QUIRKS_BYTES];
module_param_string(quirks, quirks, sizeof(quirks), 0644);
MODULE_PARM_DESC(quirks, "supplemental list of device IDs and their quirks");

static unsigned int option_zero_cd = 1;
module_param_named(option_zero_cd, option_zero_cd, uint, 0644);
MODULE_PARM_DESC(option_zero_cd, "ZeroCD mode (1=Force Modem (default), 2=Allow CD-Rom");

struct us_data {
	struct usb_device *device;
	struct Scsi_Host *host;
	bool scanned;
};

static struct us_data *current_us;

int usb_stor_reset(struct us_data *us)
{
	return usb_reset_device(us->device);
}
EXPORT_SYMBOL_NS_GPL(usb_stor_reset, USB_STORAGE);

int usb_stor_probe1(struct us_data **us, struct usb_interface *interface)
{
	struct Scsi_Host *host = scsi_host_alloc(NULL, sizeof(**us));

	if (!host)
		return -ENOMEM;
	*us = __kmalloc(sizeof(**us), GFP_KERNEL);
	if (!*us) {
		scsi_host_put(host);
		return -ENOMEM;
	}
	**us = (struct us_data){ usb_get_dev((struct usb_device *)interface), host, false };
	return 0;
}
EXPORT_SYMBOL_NS_GPL(usb_stor_probe1, USB_STORAGE);

int usb_stor_probe2(struct us_data *us)
{
	u8 inquiry[6] = { 0x12, 0, 0, 0, 36, 0 };
	int done = 0;

	msleep(delay_use * 1000);
	if (usb_bulk_msg(us->device, 0, inquiry, sizeof(inquiry), &done, 5000))
		return usb_stor_reset(us);
	scsi_scan_host(us->host);
	us->scanned = true;
	return 0;
}
EXPORT_SYMBOL_NS_GPL(usb_stor_probe2, USB_STORAGE);

void usb_stor_disconnect(struct usb_interface *interface)
{
	struct us_data *us = current_us;

	(void)interface;
	if (!us)
		return;
	if (us->scanned)
		scsi_remove_host(us->host);
	scsi_host_put(us->host);
	usb_put_dev(us->device);
	kfree(us);
	current_us = NULL;
}
EXPORT_SYMBOL_NS_GPL(usb_stor_disconnect, USB_STORAGE);

static int storage_probe(struct usb_interface *interface, const struct usb_device_id *id)
{
	int answer = usb_stor_probe1(&current_us, interface);

	if (!answer && (option_zero_cd == 1 || id->vendor != 0x0af0) && !strchr(quirks, 'i'))
		answer = usb_stor_probe2(current_us);
	return answer;
}

static const struct usb_device_id usb_storage_usb_ids[] = {
	{ 0x0af0, 0x7401, 0, 0, 0, 3 },
	{ 0, 0, 8, 6, 0x50, 0x380 },
	{ 0, 0, 8, 2, 0x50, 0x380 },
	{ 0 },
};

static struct usb_driver usb_storage_driver = {
	.name = "usb-storage",
	.ids = usb_storage_usb_ids,
	.probe = storage_probe,
	.disconnect = usb_stor_disconnect,
};

static int __init usb_storage_driver_init(void)
{
	return usb_register_driver(&usb_storage_driver, THIS_MODULE, KBUILD_MODNAME);
}

static void __exit usb_storage_driver_exit(void)
{
	usb_deregister(&usb_storage_driver);
}

module_init(usb_storage_driver_init);
module_exit(usb_storage_driver_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("USB Mass Storage driver for Linux (teaching kernel)");
MODULE_AUTHOR("The lkm developers");
MODULE_ALIAS("usb:v*p*d*dc*dsc*dp*ic08isc02ip50in*");
MODULE_ALIAS("usb:v*p*d*dc*dsc*dp*ic08isc06ip50in*");
MODULE_ALIAS("usb:v0AF0p7401d0000dc*dsc*dp*ic*isc*ip*in*");
