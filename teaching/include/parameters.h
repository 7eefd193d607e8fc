/* Module parameters: an entry of __param, and parmtype= and parm= in .modinfo. */
#ifndef TEACHING_PARAMETERS_H
#define TEACHING_PARAMETERS_H

struct kernel_param_ops;

struct kparam_string {
	unsigned int size;
	char *text;
};

struct kparam_array {
	unsigned int limit;
	unsigned int element_size;
	unsigned int *count;
	const struct kernel_param_ops *ops;
	void *elements;
};

struct kernel_param {
	const char *name;
	struct module *module;
	const struct kernel_param_ops *ops;
	const u16 mode;
	s8 level;
	u8 flags;
	void *argument;
};

/* The kernel steps through __param by the size of a record; gcc would align each to 32 bytes. */
#define PARAMETER_(parameter, operations, access, where) \
	static const char __param_str_##parameter[] = #parameter; \
	static struct kernel_param const __param_##parameter __used __in("__param") \
	__attribute__((aligned(sizeof(void *)))) = { \
		__param_str_##parameter, THIS_MODULE, &operations, access, -1, 0, where \
	}

/* *type* is one that the kernel has a param_ops_ for: bool, int, uint, ulong, charp ... */
#define module_param_named(parameter, variable, type, mode) \
	PARAMETER_(parameter, param_ops_##type, mode, &variable); \
	MODINFO(parameter##type, "parmtype", #parameter ":" #type)
#define module_param(parameter, type, mode) \
	module_param_named(parameter, parameter, type, mode)

#define module_param_string(parameter, buffer, bytes, mode) \
	static const struct kparam_string __param_string_##parameter = { bytes, buffer }; \
	PARAMETER_(parameter, param_ops_string, mode, (void *)&__param_string_##parameter); \
	MODINFO(parameter##type, "parmtype", #parameter ":string")

#define module_param_array(parameter, type, given, mode) \
	static const struct kparam_array __param_arr_##parameter = { \
		COUNT(parameter), sizeof(parameter[0]), given, &param_ops_##type, parameter \
	}; \
	PARAMETER_(parameter, param_array_ops, mode, (void *)&__param_arr_##parameter); \
	MODINFO(parameter##type, "parmtype", #parameter ":array of " #type)

#define MODULE_PARM_DESC(parameter, text) MODINFO(parameter, "parm", #parameter ":" text)

#endif
