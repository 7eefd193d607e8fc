/* A driver of a network card, which wants firmware. */
#include "../include/kernel.h"

#define INTEL 0x8086
#define NETWORK_CLASS 0x020000
#define FIRMWARE_D101M "e100/d101m_ucode.bin"
#define FIRMWARE_D101S "e100/d101s_ucode.bin"
#define FIRMWARE_D102E "e100/d102e_ucode.bin"

static int debug = 3;
static int eeprom_bad_csum_allow;
static bool use_io;
module_param(debug, int, 0);
module_param(eeprom_bad_csum_allow, int, 0444);
module_param(use_io, bool, 0444);
MODULE_PARM_DESC(debug, "Debug level (0=none,...,16=all)");
MODULE_PARM_DESC(eeprom_bad_csum_allow, "Allow bad eeprom checksums");
MODULE_PARM_DESC(use_io, "Force use of i/o access mode");

static struct net_device *card;

static const char *e100_firmware_for(const struct pci_device_id *id)
{
	switch (id->device) {
	case 0x1229:
		return FIRMWARE_D101M;
	case 0x1209:
		return FIRMWARE_D101S;
	default:
		return FIRMWARE_D102E;
	}
}

static int e100_request_firmware(struct pci_dev *device, const struct pci_device_id *id)
{
	const struct firmware *firmware;
	int answer = request_firmware(&firmware, e100_firmware_for(id), pci_device_of(device));

	if (answer && debug > 1)
		pr_err("no firmware %s\n", e100_firmware_for(id));
	if (!answer)
		release_firmware(firmware);
	return answer;
}

static int e100_probe(struct pci_dev *device, const struct pci_device_id *id)
{
	int answer = pci_enable_device(device);

	if (answer)
		return answer;
	if (!use_io)
		pci_set_master(device);
	answer = e100_request_firmware(device, id);
	card = answer ? NULL : alloc_etherdev_mqs(512, 1, 1);
	if (card && !mii_link_ok(NULL) && !eeprom_bad_csum_allow)
		mii_nway_restart(NULL);
	if (card)
		return register_netdev(card);
	pci_disable_device(device);
	return answer ? answer : -ENOMEM;
}

static void e100_remove(struct pci_dev *device)
{
	if (card) {
		unregister_netdev(card);
		free_netdev(card);
		card = NULL;
	}
	pci_disable_device(device);
}

static const struct pci_device_id e100_id_table[] = {
	{ INTEL, 0x1029, ~0u, ~0u, NETWORK_CLASS, 0xffff00 },
	{ INTEL, 0x1209, ~0u, ~0u, NETWORK_CLASS, 0xffff00 },
	{ INTEL, 0x1229, ~0u, ~0u, NETWORK_CLASS, 0xffff00 },
	{ 0 },
};

static struct pci_driver e100_driver = { "e100", e100_id_table, e100_probe, e100_remove };

static int __init e100_init_module(void)
{
	return __pci_register_driver(&e100_driver, THIS_MODULE, KBUILD_MODNAME);
}

static void __exit e100_cleanup_module(void)
{
	pci_unregister_driver(&e100_driver);
}

module_init(e100_init_module);
module_exit(e100_cleanup_module);

MODULE_DESCRIPTION("PRO/100 network driver (teaching kernel)");
MODULE_AUTHOR("The lkm developers");
MODULE_LICENSE("GPL v2");
MODULE_FIRMWARE(FIRMWARE_D101M);
MODULE_FIRMWARE(FIRMWARE_D101S);
MODULE_FIRMWARE(FIRMWARE_D102E);
MODULE_ALIAS("pci:v00008086d00001029sv*sd*bc02sc00i*");
MODULE_ALIAS("pci:v00008086d00001209sv*sd*bc02sc00i*");
MODULE_ALIAS("pci:v00008086d00001229sv*sd*bc02sc00i*");
