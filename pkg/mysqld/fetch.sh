#!/bin/sh
# Puts a MySQL server with mysql_clone.so into a folder of its own, without touching the system:
# the packages of Debian's unstable suite are resolved against an empty package database,
# downloaded, and unpacked side by side with the loader and libraries they were built for.
#
# usage: fetch.sh FOLDER
#
# FOLDER/bin holds mysqld, mysql and innochecksum, and the standard programs that archives are checked against
# (zstd, lz4, pigz), ready to be called. A FOLDER that is complete is left as it is.
#
# environment:
#   RUNNER_DEBIAN_MIRROR  the Debian mirror to ask; default: the one that apt is set up with here
set -eu

die() {
	printf 'fetch.sh: error: %s\n' "$1" >&2
	[ $# -lt 2 ] || printf 'fetch.sh: hint: %s\n' "$2" >&2
	exit 1
}

[ $# -eq 1 ] || die "usage: fetch.sh FOLDER"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ ! -f "$folder/complete" ] || exit 0

for tool in apt-get dpkg-deb; do
	command -v "$tool" >/dev/null || die "$tool is not here" "set RUNNER_MYSQLD to the mysqld of a MySQL 8.0.17 or later"
done

# One fetch at a time; whoever waited finds the work done.
exec 9>"$folder/lock"
if command -v flock >/dev/null; then
	flock 9
	[ ! -f "$folder/complete" ] || exit 0
fi

apt_mirror() {
	apt-get indextargets --format '$(SITE) $(ORIGIN)' 2>/dev/null |
		awk '$2 == "Debian" { print $1; exit }'
}
configured_mirror() {
	cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
		sed -n 's/^URIs:[[:space:]]*//p; s/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\).*/\2/p' |
		grep -E '/debian/?$' | head -n 1
}
mirror=${RUNNER_DEBIAN_MIRROR:-$(configured_mirror)}
mirror=${mirror:-$(apt_mirror)}
[ -n "$mirror" ] || die "no Debian mirror is set up for apt here" "set RUNNER_DEBIAN_MIRROR to the address of one"

keyring=/usr/share/keyrings/debian-archive-keyring.gpg
[ -f "$keyring" ] || die "$keyring is not here" "apt-get install debian-archive-keyring"

private=$folder/apt
rm -rf "$private"
mkdir -p "$private/lists/partial" "$private/archives/partial" "$private/debs" "$private/empty"
: >"$private/status"
cat >"$private/sources.list" <<LIST
deb [signed-by=$keyring] $mirror sid main
LIST
cat >"$private/apt.conf" <<CONF
Dir::Etc::sourcelist "$private/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::State "$private";
Dir::State::lists "$private/lists";
Dir::State::status "$private/status";
Dir::Cache "$private";
Dir::Cache::archives "$private/archives";
Acquire::Languages "none";
Acquire::Retries "3";
APT::Sandbox::User "root";
APT::Get::List-Cleanup "0";
CONF
APT_CONFIG=$private/apt.conf
export APT_CONFIG

package_names() {
	apt-get -s install --no-install-recommends mysql-server-core mysql-client-core zstd lz4 pigz |
		awk '$1 == "Inst" { print $2 }' | grep -v perl
}

download() {
	apt-get -qq update || return 1
	names=$(package_names) || return 1
	[ -n "$names" ] || return 1
	# shellcheck disable=SC2086 # one word a package
	(cd "$private/debs" && rm -f ./*.deb && apt-get -qq download $names)
}

printf 'fetch.sh: downloading MySQL from Debian unstable into %s\n' "$folder" >&2
# The suite moves under us: a package that the lists name may be gone by the time it is asked for.
download || download || download || die "the packages could not be downloaded" "look at the lines above, then run it again"

root=$folder/root
rm -rf "$root"
mkdir -p "$root"
for deb in "$private"/debs/*.deb; do
	dpkg-deb -x "$deb" "$root"
done

libraries=$(find "$root/usr/lib" -maxdepth 1 -type d -name '*-linux-gnu*' | head -n 1)
loader=$(find "$root/usr/lib64" "$root/usr/lib" "$root/lib64" "$libraries" -maxdepth 1 -name 'ld-linux-*.so.*' 2>/dev/null | head -n 1)
[ -n "$loader" ] || die "the packages hold no loader"
[ -f "$root/usr/lib/mysql/plugin/mysql_clone.so" ] || die "the packages hold no mysql_clone.so"

mkdir -p "$folder/bin"
wrap() {
	name=$1
	program=$2
	shift 2
	cat >"$folder/bin/$name.new" <<WRAP
#!/bin/sh
exec "$loader" --library-path "$libraries:$libraries/mysql/private:$root/usr/lib" "$program" $*
WRAP
	chmod 0755 "$folder/bin/$name.new"
	mv "$folder/bin/$name.new" "$folder/bin/$name"
}
# --no-defaults and its kin must come first, so the server's own places are put behind them by the wrapper.
cat >"$folder/bin/mysqld.new" <<WRAP
#!/bin/sh
case "\${1-}" in
--no-defaults | --defaults-file=*) first=\$1; shift ;;
*) first=--no-defaults ;;
esac
exec "$loader" --library-path "$libraries:$libraries/mysql/private:$root/usr/lib" "$root/usr/sbin/mysqld" "\$first" --basedir="$root/usr" --lc-messages-dir="$root/usr/share/mysql" --plugin-dir="$root/usr/lib/mysql/plugin" --secure-file-priv= "\$@"
WRAP
chmod 0755 "$folder/bin/mysqld.new"
mv "$folder/bin/mysqld.new" "$folder/bin/mysqld"
for program in mysql innochecksum zstd lz4 pigz; do
	found=$(find "$root/usr/bin" "$root/usr/sbin" -name "$program" | head -n 1)
	[ -z "$found" ] || wrap "$program" "$found" '"$@"'
done

"$folder/bin/mysqld" --version >&2 || die "the server that was unpacked does not start"
rm -rf "$private"
: >"$folder/complete"
