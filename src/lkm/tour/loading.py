"""The second half of the lesson: loading and unloading, failing, and the symbol table."""

from __future__ import annotations

from lkm.tour.events import Scene, Step, Tell, Telling, Verify


def btrfs_and_its_dependencies(scene: Scene) -> Telling:
    """Load btrfs, look, and take it away with what it brought."""
    yield Tell("Now load something. First make sure that btrfs is not there:")
    before = yield scene.lkm("lsmod")
    yield Verify("btrfs is not loaded", not before.lists("btrfs"))
    yield Tell("modprobe loads it by its name; -v shows what that takes:")
    loading = yield scene.lkm("modprobe", "-v", "btrfs")
    yield Verify("modprobe loads btrfs", loading.status == 0)
    yield Tell("One word, several modules: btrfs needs others, which were loaded before it.")
    after = yield scene.lkm("lsmod")
    yield Verify("btrfs is loaded", after.lists("btrfs"))
    for name in scene.dependencies:
        yield Verify(f"and so is {name}, which it needs", after.lists(name))
    yield Tell("modprobe -r takes it away, and with it what nothing else uses:")
    yield scene.lkm("modprobe", "-r", "-v", "btrfs")
    gone = yield scene.lkm("lsmod")
    yield Verify("btrfs is gone again", not gone.lists("btrfs"))
    new = set(scene.dependencies) - set(before.first_words())
    left = new & set(gone.first_words())
    yield Verify("and what it had brought is gone as well", not left)


def modules_dep(scene: Scene) -> Telling:
    """Show where modprobe knows the dependencies from."""
    yield Tell(
        "How did modprobe know? From modules.dep, an index beside the modules that depmod writes: "
        "a line for each module, its file and those it needs. `modprobe -D` reads it and only "
        "shows what would be done:"
    )
    shown = yield scene.lkm("modprobe", "-D", "btrfs")
    files = [line.split()[1].rpartition("/")[2] for line in shown.out.splitlines()]
    yield Verify(
        "btrfs comes last, after all that it needs",
        bool(files) and files[-1].startswith("btrfs.ko"),
    )


def insmod_and_rmmod(scene: Scene) -> Telling:
    """Show the plain tools, and how they fail without dependencies."""
    yield Tell(
        "insmod and rmmod do one thing each: put one file into the kernel, take one module out. "
        "They know nothing of dependencies. vfat needs fat, which is not loaded:"
    )
    alone = yield scene.lkm("insmod", scene.vfat_path)
    yield Verify("insmod cannot load vfat alone", alone.status == 1)
    yield Verify("since it needs unknown symbols", "Unknown symbol" in alone.err)
    yield Tell("By hand, the order matters: fat first, then vfat.")
    first = yield scene.lkm("insmod", scene.fat_path)
    second = yield scene.lkm("insmod", scene.vfat_path)
    yield Verify("fat, then vfat: both load", first.status == second.status == 0)
    yield Tell("The same backwards. fat is in use by vfat now, and the kernel keeps it:")
    held = yield scene.lkm("rmmod", "fat")
    yield Verify("rmmod refuses what is in use", held.status == 1 and "vfat" in held.err)
    freed = yield scene.lkm("rmmod", "vfat", "fat")
    yield Verify("vfat, then fat: both go", freed.status == 0)


def who_may(scene: Scene) -> Telling:
    """Tell what needs root."""
    yield Tell(
        "Reading needs no rights: lsmod, modinfo, modprobe -D and lkm's own questions work for "
        "everyone. Changing a running kernel needs root, for a module could do anything; without "
        'it the kernel answers EPERM, "Operation not permitted". '
        + (
            "This sandbox is a file of yours, so here you need none."
            if scene.on == "sandbox"
            else "Here it is your own kernel that is changed."
        )
    )


def the_symbol_table(scene: Scene) -> Telling:
    """Show symbols of the kernel and of a module."""
    yield Tell(
        "Modules and kernel find each other by symbols, names of functions and data. "
        "/proc/kallsyms lists them: address, type, name, and in brackets the module. Capital "
        "letters are symbols that others may use. vfat brings some when it is loaded:"
    )
    yield scene.lkm("modprobe", "vfat")
    symbols = yield scene.lkm("kallsyms", "--module", "vfat")
    yield Verify("vfat has put symbols into the table", symbols.status == 0)
    yield scene.lkm("modprobe", "-r", "vfat")
    without = yield scene.lkm("kallsyms", "--module", "vfat")
    yield Verify("and they go when it goes", without.status == 1)


def the_exercise(scene: Scene) -> Telling:
    """Compare the symbol table before, with and after btrfs."""
    before, after, again = (f"{scene.folder}/{name}" for name in ("before", "after", "again"))
    yield Tell(
        "The exercise. Make sure that btrfs is not loaded, and look for its symbols; take a "
        "snapshot of the table, load btrfs, and compare. Then unload it and compare again."
    )
    loaded = yield scene.lkm("lsmod")
    yield Verify("btrfs is not loaded", not loaded.lists("btrfs"))
    none = yield scene.lkm("kallsyms", "--module", "btrfs")
    yield Verify("there are no symbols of btrfs", none.status == 1)
    yield scene.lkm("kallsyms", "save", before)
    yield scene.lkm("modprobe", "btrfs")
    yield scene.lkm("kallsyms", "save", after)
    grown = yield scene.lkm("kallsyms", "diff", before, after)
    yield Verify("the table has grown by symbols of btrfs", _names_module(grown.out, "btrfs"))
    for name in scene.dependencies:
        yield Verify(f"and by those of {name}", _names_module(grown.out, name))
    yield scene.lkm("modprobe", "-r", "btrfs")
    for name in reversed(scene.dependencies):
        yield scene.lkm("modprobe", "-r", "-q", name)
    yield scene.lkm("kallsyms", "save", again)
    same = yield scene.lkm("kallsyms", "diff", before, again)
    yield Verify("unloaded, the table is what it was", same.status == 0)


def _names_module(text: str, name: str) -> bool:
    return any(
        name in line.replace("[", " ").replace("]", " ").split() for line in text.splitlines()
    )


LOADING = (
    Step("Loading, and what it drags in", btrfs_and_its_dependencies),
    Step("modules.dep", modules_dep),
    Step("insmod and rmmod", insmod_and_rmmod),
    Step("Who may do what", who_may),
    Step("The symbol table", the_symbol_table),
    Step("The exercise", the_exercise),
)
