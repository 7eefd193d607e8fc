# Completion of lkm, and of kmod's tools where they are lkm, for fish.
#
# Load it with `lkm completion fish | source`, or put it into ~/.config/fish/conf.d. What can follow
# is computed by lkm itself; this only asks it.

function __lkm_complete
    # Of what stands behind the cursor fish does not tell.
    set -l before (commandline -opc)
    # It is handed over as it was typed, with its backslashes and quotes.
    set -l current (string unescape -- (commandline -ct))
    test -n "$current"; or set current (commandline -ct)
    # As it was called, where that names it: it need not be in PATH then.
    set -l lkm lkm
    string match -q '*/lkm' -- $before[1]; and set lkm $before[1]
    $lkm complete fish (count $before) $before "$current" 2>/dev/null
end

for name in lkm depmod insmod kmod lsmod modinfo modprobe rmmod
    complete -c $name -f -a '(__lkm_complete)'
end
