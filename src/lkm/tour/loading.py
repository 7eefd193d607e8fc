"""The second half of the lesson: loading and unloading, failing, and the symbol table."""

from __future__ import annotations

from collections.abc import Generator

from lkm.tour.events import Event, Ran, Run, Scene, Step, Tell, Telling, Verify


def btrfs_and_its_dependencies(scene: Scene) -> Telling:
    """Load btrfs, look, and take it away with what it brought."""
    yield Tell("Now load something. First make sure that btrfs is not there:")
    before = yield scene.lkm("lsmod")
    yield Verify("btrfs is not loaded", not before.lists("btrfs"))
    yield Tell("modprobe loads it by its name; -v shows what that takes:")
    loading = yield scene.lkm("modprobe", "-v", "btrfs")
    yield Verify("modprobe loads btrfs", loading.status == 0)
    yield Tell("One word, several modules: what btrfs needs has to be there before it.")
    after = yield scene.lkm("lsmod")
    yield Verify("btrfs is loaded", after.lists("btrfs"))
    for name in scene.dependencies:
        yield Verify(f"and so is {name}, which it needs", after.lists(name))
    yield Tell("modprobe -r takes it away, and with it what it needed and nothing else uses:")
    gone = yield from _take_away(scene, before)
    yield Verify("btrfs is gone again", not gone.lists("btrfs"))
    yield Verify("and all that it brought is gone as well", _loaded(gone) == _loaded(before))


def modules_dep(scene: Scene) -> Telling:
    """Show where modprobe knows the dependencies from."""
    yield Tell(
        "How did modprobe know? From modules.dep, an index beside the modules that depmod writes. "
        "Each line has a module's file, a colon, and the files that it needs:"
    )
    path = f"{scene.directory}/modules.dep"
    line = yield Run(("/btrfs.ko", path), program="grep")
    own, _, needed = line.out.partition(":")
    named = {_module(file) for file in needed.split()}
    yield Verify(
        "modules.dep names what btrfs needs",
        _module(own) == "btrfs" and named == set(scene.dependencies),
    )
    yield Tell("`modprobe -D` only shows what loading would do, with soft dependencies as well:")
    shown = yield scene.lkm("modprobe", "-D", "btrfs")
    order = [_module(each.split()[1]) for each in shown.out.splitlines()]
    yield Verify(
        "btrfs comes last, all that it needs before it",
        order[-1:] == ["btrfs"] and set(scene.dependencies) <= set(order[:-1]),
    )


def insmod_and_rmmod(scene: Scene) -> Telling:
    """Show the plain tools, and how they fail without dependencies."""
    yield Tell(
        "insmod and rmmod do one thing each: put one file into the kernel, take one module out. "
        "They know nothing of dependencies. vfat needs fat, which is not loaded:"
    )
    alone = yield scene.lkm("insmod", scene.vfat_path)
    yield Verify(
        "insmod cannot load vfat alone: it needs unknown symbols",
        alone.status == 1 and "Unknown symbol" in alone.err,
    )
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
        "Who may do all this? Everyone may look: lsmod, modinfo, find, modprobe -D. Changing a "
        "running kernel needs root, for a module could do anything: insmod, rmmod, modprobe, and "
        "depmod, since /lib/modules is root's; without root the kernel answers EPERM, \"Operation "
        'not permitted". One thing to look at is guarded as well: the addresses in the symbol '
        "table, which would help an attacker. "
        + (
            "This sandbox is a file of yours, so here you may do everything, as this user:"
            if scene.on == "sandbox"
            else "This is the running kernel, so what was changed above needed root:"
        )
    )
    who = yield Run(("-u",), program="id")
    is_root = who.out.strip() == "0"
    yield Verify("this user may change this kernel", scene.on == "sandbox" or is_root)


def the_symbol_table(scene: Scene) -> Telling:
    """Show symbols of the kernel and of a module."""
    yield Tell(
        "Modules and kernel find each other by symbols, names of functions and data. "
        "/proc/kallsyms lists them: address, type, name, and in brackets the module. t is code, r "
        "data that cannot be written, d and b data that can. First one of the kernel's own, by "
        "which every file system makes itself known:"
    )
    own = yield scene.lkm("kallsyms", "register_filesystem")
    fields = own.out.split()
    yield Verify(
        "it is code, and belongs to no module",
        len(fields) == 3 and fields[1] in "tT" and fields[2] == "register_filesystem",
    )
    yield Tell("vfat brings some of its own when it is loaded:")
    before = yield scene.lkm("lsmod")
    yield scene.lkm("modprobe", "vfat")
    symbols = yield scene.lkm("kallsyms", "--module", "vfat")
    yield Verify(
        "vfat has put symbols into the table",
        symbols.status == 0 and all("[vfat]" in line for line in symbols.out.splitlines()),
    )
    yield from _take_away(scene, before, "vfat")
    without = yield scene.lkm("kallsyms", "--module", "vfat")
    yield Verify("and they go when it goes", without.status == 1 and not without.out)


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
    yield Verify("there are no symbols of btrfs", none.status == 1 and not none.out)
    yield scene.lkm("kallsyms", "save", before)
    yield scene.lkm("modprobe", "btrfs")
    yield scene.lkm("kallsyms", "save", after)
    grown = yield scene.lkm("kallsyms", "diff", before, after)
    yield Verify("symbols of btrfs have come", _came(grown, "btrfs"))
    for name in scene.dependencies:
        yield Verify(f"and those of {name}", _came(grown, name))
    yield from _take_away(scene, loaded)
    yield scene.lkm("kallsyms", "save", again)
    same = yield scene.lkm("kallsyms", "diff", before, again)
    yield Verify(
        "unloaded, the table is what it was",
        same.status == 0 and "nothing differs" in same.out.splitlines(),
    )


def _take_away(scene: Scene, before: Ran, name: str = "btrfs") -> Generator[Event, Ran, Ran]:
    """Unload *name* and all that came with it; return what lsmod says then.

    *before* is what it said at first.
    """
    removing = yield scene.lkm("modprobe", "-r", "-v", name)
    yield Verify(f"modprobe -r unloads {name}", removing.status == 0)
    gone = yield scene.lkm("lsmod")
    left = [each for each in gone.first_words()[1:] if each not in _loaded(before)]
    if not left:
        return gone
    yield Tell(
        "What stays came as a soft dependency, or is needed by what came so: nothing asked for it "
        "by its symbols, so nothing takes it away. That takes a word more:"
    )
    yield scene.lkm("modprobe", "-r", "-a", *left)
    gone = yield scene.lkm("lsmod")
    return gone


def _loaded(table: Ran) -> frozenset[str]:
    return frozenset(table.first_words()[1:])


def _module(path: str) -> str:
    return path.rpartition("/")[2].partition(".")[0].replace("-", "_")


def _came(diff: Ran, name: str) -> bool:
    return any(line.startswith(f"[{name}] (came): ") for line in diff.out.splitlines())


LOADING = (
    Step("Loading, and what it drags in", btrfs_and_its_dependencies),
    Step("modules.dep", modules_dep),
    Step("insmod and rmmod", insmod_and_rmmod),
    Step("Who may do what", who_may),
    Step("The symbol table", the_symbol_table),
    Step("The exercise", the_exercise),
)
