# Completion of osfuse for bash; needs nothing of the bash-completion package.

_osfuse_sandboxes() {
	local store=${XDG_STATE_HOME:-$HOME/.local/state}/osfuse dir
	for dir in "$store"/*/; do
		[[ -d $dir ]] && dir=${dir%/} && printf '%s\n' "${dir##*/}"
	done
}

_osfuse_mounts() {
	local _source point type _rest
	while read -r _source point type _rest; do
		[[ $type == fuse.osfuse ]] && printf '%b\n' "${point//\\0/\\00}"
	done </proc/self/mounts
}

_osfuse() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev='' command='' i
	((COMP_CWORD > 0)) && prev=${COMP_WORDS[COMP_CWORD - 1]}
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		mount | umount | list | log | policy)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	COMPREPLY=()
	if [[ -z $command ]]; then
		mapfile -t COMPREPLY < <(compgen -W 'mount umount list log policy --help --version' -- "$cur")
		return
	fi
	case $prev in
	--name)
		mapfile -t COMPREPLY < <(compgen -W "$(_osfuse_sandboxes)" -- "$cur")
		return
		;;
	--policy)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		return
		;;
	--case)
		mapfile -t COMPREPLY < <(compgen -W 'sensitive insensitive' -- "$cur")
		return
		;;
	--op)
		mapfile -t COMPREPLY < <(compgen -W 'look list read write exec create mkdir remove rename link attr getxattr setxattr' -- "$cur")
		return
		;;
	learn | reload)
		mapfile -t COMPREPLY < <(compgen -W "$(_osfuse_mounts) $(_osfuse_sandboxes)" -- "$cur")
		return
		;;
	--time-gran)
		mapfile -t COMPREPLY < <(compgen -W '1ns 10ns 100ns 1us 10us 100us 1ms 10ms 100ms 1s' -- "$cur")
		return
		;;
	--threads | --since | --squash-uid | --squash-gid | --uidmap | --gidmap)
		return
		;;
	-o)
		compopt -o nospace 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W 'ro rw dev nodev suid nosuid exec noexec noatime relatime strictatime lazytime
			sync dirsync allow_other nonempty remount userxattr volatile redirect_dir= index= lowerdir= upperdir=
			workdir= name= fsname= squash_to_root squash_to_uid= squash_to_gid= uidmapping= gidmapping= time_gran=' -- "$cur")
		return
		;;
	--lower | --upper | --work)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		return
		;;
	esac
	case $command:$cur in
	mount:-*)
		mapfile -t COMPREPLY < <(compgen -W '--lower --upper --work --name --ephemeral --read-only --foreground --debug
			--threads --case --time-gran --squash-uid --squash-gid --uidmap --gidmap --policy --hide --deny --ro --cow --rw --noexec --log --help -f -d -o' -- "$cur")
		;;
	policy:-*)
		mapfile -t COMPREPLY < <(compgen -W '--op --name --policy --hide --deny --ro --cow --rw --noexec --log --help' -- "$cur")
		;;
	policy:*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W 'check explain learn reload' -f -- "$cur")
		;;
	umount:-*)
		mapfile -t COMPREPLY < <(compgen -W '--lazy --help' -- "$cur")
		;;
	log:-*)
		mapfile -t COMPREPLY < <(compgen -W '--follow --json --refused --since --help -f' -- "$cur")
		;;
	log:*)
		mapfile -t COMPREPLY < <(compgen -W "$(_osfuse_mounts) $(_osfuse_sandboxes)" -- "$cur")
		;;
	list:*)
		mapfile -t COMPREPLY < <(compgen -W '--json --help' -- "$cur")
		;;
	umount:*)
		mapfile -t COMPREPLY < <(compgen -W "$(_osfuse_mounts) $(_osfuse_sandboxes)" -- "$cur")
		;;
	mount:*)
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -d -- "$cur")
		;;
	esac
}

complete -F _osfuse osfuse
