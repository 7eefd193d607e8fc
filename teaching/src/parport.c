/* Parallel ports: who may use one, and handing bytes through it. */
#include "../include/shared.h"

#define PORTS 4

struct parport {
	unsigned long base;
	int irq, number, references;
	struct pardevice *claimed_by;
};

static struct parport ports[PORTS];
static struct mutex registration_lock;

struct parport *parport_find_number(int number)
{
	if (number < 0 || number >= PORTS || !ports[number].base)
		return NULL;
	ports[number].references++;
	return &ports[number];
}
EXPORT_SYMBOL(parport_find_number);

struct parport *parport_register_port(unsigned long base, int irq)
{
	struct parport *port = NULL;

	mutex_lock(&registration_lock);
	for (int number = 0; number < PORTS && !port; number++)
		if (!ports[number].base) {
			port = &ports[number];
			*port = (struct parport){ base, irq, number, 1, NULL };
		}
	mutex_unlock(&registration_lock);
	return port;
}
EXPORT_SYMBOL(parport_register_port);

void parport_put_port(struct parport *port)
{
	if (!--port->references)
		memset(port, 0, sizeof(*port));
}
EXPORT_SYMBOL(parport_put_port);

int __parport_register_driver(struct parport_driver *driver, struct module *owner)
{
	if (!try_module_get(owner))
		return -ENODEV;
	for (int number = 0; number < PORTS; number++)
		if (ports[number].base)
			driver->attach(&ports[number]);
	return 0;
}
EXPORT_SYMBOL(__parport_register_driver);

void parport_unregister_driver(struct parport_driver *driver)
{
	pr_info("driver %s gone\n", driver->name);
}
EXPORT_SYMBOL(parport_unregister_driver);

struct pardevice *parport_register_dev_model(struct parport *port, const char *name)
{
	struct pardevice *device = __kmalloc(sizeof(*device), GFP_KERNEL);

	if (device)
		*device = (struct pardevice){ name, port, false };
	return device;
}
EXPORT_SYMBOL(parport_register_dev_model);

int parport_claim(struct pardevice *device)
{
	if (device->port->claimed_by && device->port->claimed_by != device)
		return -EBUSY;
	device->port->claimed_by = device;
	device->claimed = true;
	return 0;
}
EXPORT_SYMBOL(parport_claim);

void parport_release(struct pardevice *device)
{
	if (device->port->claimed_by == device)
		device->port->claimed_by = NULL;
	device->claimed = false;
}
EXPORT_SYMBOL(parport_release);

void parport_unregister_device(struct pardevice *device)
{
	parport_release(device);
	kfree(device);
}
EXPORT_SYMBOL(parport_unregister_device);

static void out(u16 place, u8 byte)
{
	asm volatile("outb %0, %1" : : "a"(byte), "Nd"(place));
}

static u8 in(u16 place)
{
	u8 byte;

	asm volatile("inb %1, %0" : "=a"(byte) : "Nd"(place));
	return byte;
}

ssize_t parport_write(struct parport *port, const void *data, size_t bytes)
{
	for (size_t number = 0; number < bytes; number++)
		out(port->base, ((const u8 *)data)[number]);
	return bytes;
}
EXPORT_SYMBOL(parport_write);

ssize_t parport_read(struct parport *port, void *data, size_t bytes)
{
	for (size_t number = 0; number < bytes; number++)
		((u8 *)data)[number] = in(port->base);
	return bytes;
}
EXPORT_SYMBOL(parport_read);

static int __init parport_default_proc_register(void)
{
	return proc_create("parport", 0555, NULL, NULL) ? 0 : -ENOMEM;
}

static void __exit parport_default_proc_unregister(void)
{
	remove_proc_entry("parport", NULL);
}

module_init(parport_default_proc_register);
module_exit(parport_default_proc_unregister);

MODULE_LICENSE("GPL");
