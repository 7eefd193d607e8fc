# Completion of lkm, and of kmod's tools where they are lkm, for bash.
#
# Load it with `eval "$(lkm completion bash)"`, or put it into the folder of bash-completion. What
# can follow is computed by lkm itself; this only asks it.

_lkm_complete() {
    local lkm=lkm line
    # As it was called, where that names it: it need not be in PATH then.
    [[ $1 == */lkm ]] && lkm=${1/#\~\//"$HOME"/}
    COMPREPLY=()
    while IFS= read -r line; do
        COMPREPLY+=("$line")
    done < <("$lkm" complete bash "$COMP_POINT" "$COMP_LINE" "$COMP_WORDBREAKS" 2>/dev/null)
    case ${COMPREPLY[0]-} in
        paths) compopt -o filenames ;;
        words) [[ ${COMPREPLY[1]} == *= ]] && compopt -o nospace ;;
    esac
    COMPREPLY=("${COMPREPLY[@]:1}")
}

complete -F _lkm_complete lkm depmod insmod kmod lsmod modinfo modprobe rmmod
