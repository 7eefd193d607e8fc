"""The first half of the lesson: what modules are, what they are called, and where they are."""

from __future__ import annotations

from lkm.tour.events import Run, Scene, Step, Tell, Telling, Verify


def what_a_module_is(scene: Scene) -> Telling:
    """Tell what a module is, and show that not every one is a driver."""
    yield Tell(
        "A Linux kernel is one program, but not one file. Much of it lies beside it as modules: "
        "compiled objects that become part of the running kernel when they are loaded, with its "
        "memory and all its rights. A driver for a device is the usual kind, but not every module "
        "is a driver: there are file systems, character sets, ciphers, ways to run a program. "
        "Some of this kernel's, by the folders that they lie in:"
    )
    names = tuple(name for _folder, name in scene.kinds)
    shown = yield scene.lkm("modinfo", "-F", "filename", *names)
    files = shown.out.splitlines()
    for (folder, name), file in zip(scene.kinds, files, strict=False):
        yield Verify(f"{name} is one of {folder}", folder in file)
    drivers = [file for file in files if "/drivers/" in file]
    yield Verify("only some of these are drivers", 0 < len(drivers) < len(files))


def why_loadable(scene: Scene) -> Telling:
    """Tell why there are modules at all."""
    yield Tell(
        "Why not build everything in? Memory: one kernel has to serve every machine, and a machine "
        "needs a handful of its thousands of drivers. And no reboot: a driver is loaded when its "
        "device is plugged in, and a mended one takes the place of the old while the machine runs. "
        "The price is trust: what is loaded can do everything, so a kernel may be choosy. "
        f"{scene.count:,} modules lie ready for this kernel; loaded are:"
    )
    loaded = yield scene.lkm("lsmod")
    taken = len(loaded.out.splitlines()) - 1
    yield Verify(
        f"{max(taken, 0):,} of {scene.count:,} take memory now",
        loaded.status == 0 and 0 <= taken < scene.count,
    )


def the_kernels_options(scene: Scene) -> Telling:
    """Show how this kernel was configured for modules."""
    yield Tell("How choosy this kernel is was decided when it was built. Its options for modules:")
    shown = yield scene.lkm("kconfig", lines=100)
    if shown.status == 3:
        yield Tell("This kernel keeps its configuration to itself: it cannot be told.")
        return
    options = shown.out.splitlines()
    yield Verify("the kernel takes loadable modules", "MODULES: y" in options)
    yield Verify("and lets them be removed again", "MODULE_UNLOAD: y" in options)


def two_names(scene: Scene) -> Telling:
    """Show a module's simple name and its file's, and which command wants which."""
    yield Tell(
        "A module goes by two names. Its file is vfat.ko (or vfat.ko.xz, where files are "
        "compressed); its simple name is vfat. Dashes and underscores are the same in a name: "
        "nls-cp437 and nls_cp437. modprobe and rmmod want the name, and lsmod prints it; insmod "
        "wants the file; modinfo takes either. Both lead to the same module:"
    )
    by_name = yield scene.lkm("find", "vfat")
    by_file = yield scene.lkm("find", "vfat.ko")
    yield Verify(
        "vfat and vfat.ko lead to the same module",
        by_name.status == 0 and by_name.first_words() == by_file.first_words() == ("vfat",),
    )
    yield Tell("insmod does not know names: it looks for a file called vfat in this folder.")
    wrong = yield scene.lkm("insmod", "vfat")
    yield Verify(
        "insmod takes no simple name",
        wrong.status == 1 and "could not load module vfat: No such file" in wrong.err,
    )


def where_modules_lie(scene: Scene) -> Telling:
    """Show the installed kernels and their modules directories."""
    yield Tell(
        "Modules belong to one kernel. They lie in /lib/modules, in a directory named as the "
        "running kernel's release, which `uname -r` prints:"
    )
    if scene.on == "live":
        release = yield Run(("-r",), program="uname")
    else:
        release = yield scene.cat("/proc/sys/kernel/osrelease")
    yield Verify(f"the release is {scene.release}", release.out.strip() == scene.release)
    listed = yield Run((scene.directory,), program="ls")
    yield Verify("its modules and their indexes are there", listed.lists("modules.dep"))
    yield Tell(
        "Several kernels may be installed; the star marks the one that runs. What was built for "
        "one of them seldom fits another, and the kernel looks: at the CRC of each symbol "
        "(MODVERSIONS), or at the version text."
    )
    kernels = yield scene.lkm("kernels")
    starred = [line.split()[1] for line in kernels.out.splitlines() if line.startswith("*")]
    yield Verify("the running one is marked", starred == [scene.release])


def what_is_loaded(scene: Scene) -> Telling:
    """Show lsmod beside the file it is made from."""
    yield Tell(
        "What is loaded now? lsmod shows it: name, size in memory, how many use it and which "
        "modules do. With one module more there is something to see:"
    )
    loading = yield scene.lkm("modprobe", scene.lone)
    table = yield scene.lkm("lsmod")
    yield Verify(f"{scene.lone} is loaded", loading.status == 0 and table.lists(scene.lone))
    yield Tell(
        "lsmod makes its table of one file of the kernel, /proc/modules, which tells a little "
        "more: the state, the address, and taints."
    )
    listed = yield scene.cat("/proc/modules")
    same = table.first_words()[1:] == listed.first_words()
    yield Verify("both name the same modules", listed.status == 0 and same)
    removing = yield scene.lkm("modprobe", "-r", scene.lone)
    yield Verify(f"modprobe -r takes {scene.lone} away again", removing.status == 0)


def what_modinfo_tells(scene: Scene) -> Telling:
    """Show a module's own words, without loading it."""
    yield Tell(
        "A module can be asked about without being loaded: modinfo reads its file. `modinfo vfat` "
        "prints all that it says; here are its description, its licence, the modules it needs, and "
        "the version magic, which begins with the release that it was built for:"
    )
    described = yield scene.lkm("modinfo", "-F", "description", "vfat")
    yield Verify("vfat describes itself", "FAT" in described.out)
    licence = yield scene.lkm("modinfo", "-F", "license", "vfat")
    yield Verify("it is free software", licence.out.startswith("GPL"))
    needs = yield scene.lkm("modinfo", "-F", "depends", "vfat")
    yield Verify("it says that it needs fat", "fat" in needs.out.strip().split(","))
    magic = yield scene.lkm("modinfo", "-F", "vermagic", "vfat")
    yield Verify("it was built for this release", magic.first_words() == (scene.release,))
    table = yield scene.lkm("lsmod")
    yield Verify("and it is not loaded for all that", not table.lists("vfat"))


BASICS = (
    Step("What a module is", what_a_module_is),
    Step("Why modules can be loaded", why_loadable),
    Step("What this kernel allows", the_kernels_options),
    Step("Two names for one module", two_names),
    Step("Where modules lie", where_modules_lie),
    Step("What is loaded", what_is_loaded),
    Step("A module's own words", what_modinfo_tells),
)
