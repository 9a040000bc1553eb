#!/usr/bin/env bash
# Linux guests that really boot, as judges of a move. Debian, as root; images stay in .cache/boot-judge/.
#
#   scripts/boot-judge.sh build LOADER IMAGE   LOADER: grub (in the MBR gap), grub-blocks (by block list), extlinux
#   scripts/boot-judge.sh boot IMAGE           starts it; prints the marker line, or fails with the console's output
#
# DEBIAN_MIRROR names another mirror than debootstrap's own, BOOT_SECONDS how long a boot may take.
# Packages: debootstrap, qemu-system-x86, grub-pc-bin, grub2-common, extlinux, syslinux-common, e2fsprogs, fdisk.
set -euo pipefail
cd "$(dirname "$0")/.."

cache=.cache/boot-judge
suite=bookworm
# Where the partition begins: as every fdisk did for twenty years.
start=63
sectors=$((1400 * 2048))
uuid=6a1f4f2e-8d0c-4a51-9d7e-0f5c3b2a1d00
marker='boot-judge: reached'
build_seconds=600
boot_seconds=${BOOT_SECONDS:-300}

# The root file system, made once: a minimal Debian whose init says that it is there, and that its files are whole.
root_archive() {
  local archive=$cache/$suite.tar folder
  [ -f "$archive" ] && return
  mkdir -p "$cache"
  folder=$(mktemp -d)
  timeout "$build_seconds" debootstrap --variant=minbase --include=linux-image-cloud-amd64,initramfs-tools \
    "$suite" "$folder" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$cache/debootstrap.log" 2>&1
  rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/*
  cat >"$folder/sbin/boot-marker" <<'INIT'
#!/bin/sh
mount -t proc proc /proc
mount -o remount,rw /
sha256sum --check --quiet /etc/boot-judge.sums && grep -q ' / ext4 rw' /proc/mounts &&
  echo "boot-judge: reached / on $(sed -n 's/.*root=\([^ ]*\).*/\1/p' /proc/cmdline)"
sync
echo o >/proc/sysrq-trigger
sleep 30
INIT
  chmod +x "$folder/sbin/boot-marker"
  echo "UUID=$uuid / ext4 errors=remount-ro 0 1" >"$folder/etc/fstab"
  (cd "$folder" && find usr/bin usr/lib/os-release boot -type f -print0 | xargs -0 sha256sum >etc/boot-judge.sums)
  tar -C "$folder" -cf "$archive.new" .
  mv "$archive.new" "$archive"
  rm -rf "$folder"
}

kernel_line() { echo "root=UUID=$uuid ro console=ttyS0 panic=-1 init=/sbin/boot-marker"; }

build() {
  local loader=$1 image=$2 volume mount
  root_archive
  volume=$(mktemp) mount=$(mktemp -d)
  truncate -s $((sectors * 512)) "$volume"
  mke2fs -q -F -t ext4 -U "$uuid" -L boot-judge "$volume"
  mount -o loop "$volume" "$mount"
  tar -C "$mount" -xf "$cache/$suite.tar"
  case $loader in
    grub | grub-blocks) grub_files "$mount" ;;
    extlinux) extlinux_files "$mount" ;;
  esac
  umount "$mount"
  truncate -s 0 "$image"
  truncate -s 1536M "$image"
  printf 'label: dos\nlabel-id: 0x5e1f0b00\nstart=%s, size=%s, type=83, bootable\n' "$start" "$sectors" |
    sfdisk -q --no-reread "$image"
  dd if="$volume" of="$image" bs=64K oflag=seek_bytes seek=$((start * 512)) conv=notrunc,sparse status=none
  case $loader in
    grub) grub_gap "$image" ;;
    grub-blocks) grub_blocks "$image" "$volume" ;;
    extlinux) extlinux_sectors "$image" ;;
  esac
  rm -r "$volume" "$mount"
}

grub_files() {
  mkdir -p "$1/boot/grub/i386-pc"
  cp /usr/lib/grub/i386-pc/*.mod /usr/lib/grub/i386-pc/*.lst "$1/boot/grub/i386-pc/"
  cat >"$1/boot/grub/grub.cfg" <<CONFIG
serial --unit=0
terminal_output serial
set timeout=0
menuentry 'judge' {
  search --no-floppy --fs-uuid --set=root $uuid
  linux /vmlinuz $(kernel_line)
  initrd /initrd.img
}
CONFIG
  grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o "$1/boot/grub/i386-pc/core.img" biosdisk part_msdos ext2
}

# What grub-install does for a disk with a gap: boot.img expects the core image at sector 1, and that its list of
# sectors goes on at sector 2.
grub_gap() {
  dd if=/usr/lib/grub/i386-pc/boot.img of="$1" bs=440 count=1 conv=notrunc status=none
  local core
  core=$(mktemp)
  debugfs -R "dump /boot/grub/i386-pc/core.img $core" "$1?offset=$((start * 512))" 2>/dev/null
  [ "$(stat -c %s "$core")" -le $(((start - 1) * 512)) ]
  dd if="$core" of="$1" bs=512 seek=1 conv=notrunc status=none
  rm "$core"
}

# What grub-install does for a disk without one: the sectors of the file core.img, counted from the disk's first.
grub_blocks() {
  local image=$1 volume=$2 blocks first length count
  dd if=/usr/lib/grub/i386-pc/boot.img of="$image" bs=440 count=1 conv=notrunc status=none
  blocks=$(debugfs -R 'blocks /boot/grub/i386-pc/core.img' "$volume" 2>/dev/null)
  length=$(debugfs -R 'stat /boot/grub/i386-pc/core.img' "$volume" 2>/dev/null | sed -n 's/^User:.*Size: \([0-9]*\).*/\1/p')
  count=$(((length + 511) / 512))
  read -r first _ <<<"$blocks"
  # One stretch, as the allocator gives a small file: the list needs one entry.
  [ "$(echo $blocks | tr ' ' '\n' | awk 'NR > 1 && $1 != p + 1 { bad = 1 } { p = $1 } END { print bad + 0 }')" = 0 ]
  local core=$((start + first * 8))
  le "$core" 8 | dd of="$image" bs=1 seek=$((0x5c)) conv=notrunc status=none
  { le $((core + 1)) 8; le $((count - 1)) 2; le $((0x820)) 2; } |
    dd of="$image" bs=1 seek=$((core * 512 + 0x1f4)) conv=notrunc status=none
}

# VALUE BYTES: a little-endian number.
le() {
  local value=$1 i
  for ((i = 0; i < $2; i++)); do
    printf "\\x$(printf %02x $((value & 255)))"
    value=$((value >> 8))
  done
}

extlinux_files() {
  mkdir -p "$1/boot/extlinux"
  cat >"$1/boot/extlinux/extlinux.conf" <<CONFIG
SERIAL 0
DEFAULT judge
LABEL judge
  LINUX /vmlinuz
  INITRD /initrd.img
  APPEND $(kernel_line)
CONFIG
  extlinux --install "$1/boot/extlinux" >/dev/null 2>&1
}

# On a real disk extlinux finds out where its partition begins; here the volume was made apart from it.
extlinux_sectors() {
  dd if=/usr/lib/EXTLINUX/mbr.bin of="$1" bs=440 count=1 conv=notrunc status=none
  le "$start" 4 | dd of="$1" bs=1 seek=$((start * 512 + 0x1c)) conv=notrunc status=none
}

boot() {
  local console
  console=$(mktemp)
  timeout "$boot_seconds" qemu-system-x86_64 -m 512 -display none -no-reboot -nic none -serial "file:$console" \
    -drive "file=$1,format=raw,if=virtio,snapshot=on" </dev/null >/dev/null 2>&1 || true
  if ! grep -a -o "$marker.*" "$console"; then
    cat "$console"
    rm "$console"
    return 1
  fi
  rm "$console"
}

case ${1-} in
  build) build "$2" "$3" ;;
  boot) boot "$2" ;;
  *)
    sed -n '2,9s/^# \{0,1\}//p' "$0"
    exit 2
    ;;
esac
