#!/bin/sh
# Stand-in for dkms: the same commands, folders and words, but a "build" writes the kernel's name
# into a module that the source package brings ready made. See tests/lab/world/kernels.py.
set -eu
tree=/var/lib/dkms
arch=x86_64
vermagic_size=96
# What the compiler says on this machine, where the module's sources do not fit its kernel.
complaint=/etc/boxwright-lab/dkms-complaint

fail() {
    echo "Error! $1" >&2
    exit "${2:-1}"
}

installed_file() { # module version: the name of its .ko
    sed -n 's/^BUILT_MODULE_NAME\[0\]="\(.*\)"$/\1.ko/p' "/usr/src/$1-$2/dkms.conf"
}

kernels() {
    for build in /lib/modules/*/build; do
        [ -e "$build" ] || continue
        build=${build%/build}
        echo "${build##*/}"
    done
}

do_add() {
    [ -f "/usr/src/$module-$version/dkms.conf" ] ||
        fail "Could not find module source directory: /usr/src/$module-$version" 2
    [ ! -d "$tree/$module/$version" ] ||
        fail "DKMS tree already contains: $module/$version" 3
    mkdir -p "$tree/$module/$version"
    ln -s "/usr/src/$module-$version" "$tree/$module/$version/source"
    echo "Creating symlink $tree/$module/$version/source -> /usr/src/$module-$version"
}

do_build() { # kernel
    [ -d "$tree/$module/$version" ] || do_add
    [ -e "/lib/modules/$1/build" ] || fail "Your kernel headers for kernel $1 cannot be found at /lib/modules/$1/build or /lib/modules/$1/source.
Please install the linux-headers-$1 package or use the --kernelsourcedir option to tell DKMS where it's located." 11
    file=$(installed_file "$module" "$version")
    target="$tree/$module/$version/$1/$arch/module"
    magic=$(printf "%-${vermagic_size}s" "vermagic=$1 SMP preempt mod_unload modversions")
    [ ! -s "$complaint" ] || build_fails "$1"
    mkdir -p "$target"
    echo "Building module(s)... done."
    LC_ALL=C sed "s/vermagic=@KERNEL@ SMP preempt mod_unload modversions */$magic/" \
        "/usr/src/$module-$version/$file.template" >"$target/$file"
}

build_fails() { # kernel
    log="$tree/$module/$version/build/make.log"
    mkdir -p "${log%/*}"
    {
        echo "DKMS (dkms-3.2.2) make.log for $module/$version for kernel $1 ($arch)"
        cat "$complaint"
        echo "make: *** [Makefile:85: modules] Error 2"
    } >"$log"
    echo "Building module(s)...(bad exit status: 2)"
    fail "Bad return status for module build on kernel: $1 ($arch)
Consult $log for more information." 10
}

do_install() { # kernel
    file=$(installed_file "$module" "$version")
    [ -f "$tree/$module/$version/$1/$arch/module/$file" ] || do_build "$1"
    for other in "$tree/$module"/*/"$1"; do
        rm -f "$other/installed"
    done
    mkdir -p "/lib/modules/$1/updates/dkms"
    cp "$tree/$module/$version/$1/$arch/module/$file" "/lib/modules/$1/updates/dkms/$file"
    touch "$tree/$module/$version/$1/installed"
    echo "Installing /lib/modules/$1/updates/dkms/$file"
    if command -v depmod >/dev/null; then
        echo "Running depmod... done."
        depmod -a "$1"
    fi
}

do_remove() {
    [ -d "$tree/$module/$version" ] || fail "The module/version combo: $module-$version is not located in the DKMS tree." 3
    file=$(installed_file "$module" "$version")
    for state in "$tree/$module/$version"/*/installed; do
        [ -f "$state" ] || continue
        state=${state%/installed}
        rm -f "/lib/modules/${state##*/}/updates/dkms/$file"
        if command -v depmod >/dev/null; then depmod -a "${state##*/}"; fi
        echo "Uninstalled $file for kernel ${state##*/}"
    done
    rm -rf "${tree:?}/$module/$version"
    rmdir --ignore-fail-on-non-empty "$tree/$module"
}

do_status() {
    for known in "$tree"/*/*; do
        [ -d "$known" ] || continue
        name=${known#"$tree"/}
        case ${module:+$module/}${version:-} in
        '' | "${name%/*}/" | "$name") ;;
        *) continue ;;
        esac
        any=
        for built in "$known"/*/"$arch"; do
            [ -d "$built" ] || continue
            built=${built%/"$arch"}
            any=1
            state=built
            [ ! -f "$built/installed" ] || state=installed
            echo "$name, ${built##*/}, $arch: $state"
        done
        [ -n "$any" ] || echo "$name: added"
    done
}

do_autoinstall() {
    for known in "$tree"/*/*; do
        [ -d "$known" ] || continue
        module=${known#"$tree"/}
        version=${module##*/}
        module=${module%/*}
        do_install "$1"
    done
}

command=${1:-}
[ $# -eq 0 ] || shift
module='' version='' kernel=''
while [ $# -gt 0 ]; do
    case $1 in
    -m) module=$2 && shift ;;
    -v) version=$2 && shift ;;
    -k) kernel=${2%/"$arch"} && shift ;;
    -a | --arch) shift ;;
    -*) ;;
    */*) module=${1%%/*} && version=${1#*/} ;;
    *) module=$1 ;;
    esac
    shift
done
case $command in
status) do_status ;;
add) do_add ;;
remove) do_remove ;;
build | install | autoinstall)
    for one in ${kernel:-$(kernels)}; do
        "do_$command" "$one"
    done
    ;;
--version | -V) echo "dkms-3.2.2" ;;
*) fail "Unknown action specified: $command" ;;
esac
