"""The first half of the lesson: what modules are, what they are called, and where they are."""

from __future__ import annotations

from lkm.tour.events import Run, Scene, Step, Tell, Telling, Verify


def what_a_module_is(scene: Scene) -> Telling:
    """Tell what a module is."""
    yield Tell(
        "A Linux kernel is one program, but not one file. Much of it lies beside it as modules: "
        "compiled objects that become part of the running kernel when they are loaded, with its "
        "memory and all its rights. A driver for a device is the usual kind, but not every module "
        "is a driver: there are file systems, character sets, ciphers, ways to run a program."
    )
    drivers = yield scene.lkm("find", "--path", "drivers/")
    others = yield scene.lkm("find", "--path", "/fs/")
    yield Verify("this kernel has modules that are drivers", drivers.status == 0)
    yield Verify("and file systems, which are not", others.status == 0)


def why_loadable(_scene: Scene) -> Telling:
    """Tell why there are modules at all."""
    yield Tell(
        "Why not build everything in? Memory: one kernel has to serve every machine, and a machine "
        "needs a handful of its thousands of drivers. And no reboot: a driver is loaded when its "
        "device is plugged in, and a mended one takes the place of the old while the machine runs. "
        "The price is trust: what is loaded can do everything, so a kernel may be choosy."
    )


def the_kernels_options(scene: Scene) -> Telling:
    """Show how this kernel was configured for modules."""
    yield Tell("How choosy this kernel is was decided when it was built. Its options for modules:")
    shown = yield scene.lkm("kconfig")
    if shown.status == 3:
        yield Tell("This kernel keeps its configuration to itself: it cannot be told.")
        return
    yield Verify("the kernel takes loadable modules", "MODULES: y" in shown.out.splitlines())


def two_names(scene: Scene) -> Telling:
    """Show a module's simple name and its file's, and which command wants which."""
    yield Tell(
        "A module goes by two names. Its file is vfat.ko (or vfat.ko.xz, where files are "
        "compressed); its simple name is vfat. Dashes and underscores are the same in a name: "
        "nls-cp437 and nls_cp437. modprobe, modinfo, rmmod and lsmod speak of names; insmod "
        "wants the file. The file is found by either:"
    )
    by_name = yield scene.lkm("find", "vfat")
    by_file = yield scene.lkm("find", "vfat.ko")
    yield Verify(
        "vfat and vfat.ko lead to the same module",
        by_name.status == 0 and by_name.first_words() == by_file.first_words() == ("vfat",),
    )
    yield Tell("insmod does not know names, so this fails, and says so:")
    wrong = yield scene.lkm("insmod", "vfat")
    yield Verify("insmod takes no simple name", wrong.status == 1)


def where_modules_lie(scene: Scene) -> Telling:
    """Show the installed kernels and their modules directories."""
    yield Tell(
        "Modules belong to one kernel. They lie in /lib/modules, in a directory named as the "
        "release that `uname -r` prints, and a module of one release is refused by another. These "
        "are the kernels there are; the star marks the one that runs:"
    )
    kernels = yield scene.lkm("kernels")
    lines = kernels.out.splitlines()
    starred = [line.split()[1] for line in lines if line.startswith("*")]
    yield Verify(f"the running one is {scene.release}", starred == [scene.release])


def what_is_loaded(scene: Scene) -> Telling:
    """Show lsmod beside the file it is made from."""
    yield Tell(
        "What is loaded now? lsmod shows it: name, size in memory, how many use it and which "
        "modules do. With one module more there is something to see:"
    )
    loading = yield scene.lkm("modprobe", "binfmt_misc")
    yield Verify("modprobe loads binfmt_misc", loading.status == 0)
    table = yield scene.lkm("lsmod")
    if scene.on == "sandbox":
        yield Tell(
            "lsmod makes its table of one file of the kernel, /proc/modules, which tells a little "
            "more: state, address, taints."
        )
        listed = yield Run(("sandbox", "cat", "/proc/modules"))
        same = table.first_words()[1:] == listed.first_words()
        yield Verify("both name the same modules", listed.status == 0 and same)
    yield scene.lkm("modprobe", "-r", "binfmt_misc")


def what_modinfo_tells(scene: Scene) -> Telling:
    """Show a module's own words, without loading it."""
    yield Tell(
        "A module can be asked about without being loaded: modinfo reads its file. Here are "
        "vfat's licence, its dependencies, and the version magic that must fit the kernel's:"
    )
    everything = yield scene.lkm("modinfo", "vfat")
    needs = yield scene.lkm("modinfo", "-F", "depends", "vfat")
    yield Verify("vfat says that it needs fat", "fat" in needs.out.strip().split(","))
    yield Verify("and for which kernel it was built", "vermagic:" in everything.out)
    table = yield scene.lkm("lsmod")
    yield Verify("and is not loaded for all that", not table.lists("vfat"))


BASICS = (
    Step("What a module is", what_a_module_is),
    Step("Why modules can be loaded", why_loadable),
    Step("What this kernel allows", the_kernels_options),
    Step("Two names for one module", two_names),
    Step("Where modules lie", where_modules_lie),
    Step("What is loaded", what_is_loaded),
    Step("A module's own words", what_modinfo_tells),
)
