#compdef lkm depmod insmod kmod lsmod modinfo modprobe rmmod
# Completion of lkm, and of kmod's tools where they are lkm, for zsh.
#
# Load it with `source <(lkm completion zsh)` behind compinit, or put it into a folder of fpath as
# the file _lkm. What can follow is computed by lkm itself; this only asks it.

_lkm() {
    local lkm=lkm line word nothing_found=1
    local -a before behind as_it_is words_found open_found
    # As it was called, where that names it: it need not be in PATH then.
    [[ $words[1] == */lkm ]] && lkm=${~words[1]}
    before=("${(@Q)words[1,CURRENT-1]}")
    (( CURRENT < $#words )) && behind=("${(@Q)words[CURRENT+1,-1]}")
    # A tilde must not be quoted, so then all else is quoted here.
    [[ $PREFIX == \~* ]] && as_it_is=(-Q)
    while IFS= read -r line; do
        word=${line%%$'\t'*}
        (( $#as_it_is )) && word="~${(q)word#\~}"
        # _describe takes NAME:MEANING.
        line="${word//:/\\:}:${line#*$'\t'}"
        case $word in
            *[=/]) open_found+=("$line") ;;
            *) words_found+=("$line") ;;
        esac
    done < <("$lkm" complete zsh $((CURRENT - 1)) "${before[@]}" "${(Q)PREFIX}" "${behind[@]}" 2>/dev/null)
    (( $#words_found )) && _describe -t words "$service" words_found $as_it_is && nothing_found=0
    # Here more follows at once: a value, or a file of the folder.
    (( $#open_found )) && _describe -t words "$service" open_found $as_it_is -S '' && nothing_found=0
    return nothing_found
}

if [[ $funcstack[1] == _lkm ]]; then
    _lkm "$@"
else
    compdef _lkm lkm depmod insmod kmod lsmod modinfo modprobe rmmod
fi
