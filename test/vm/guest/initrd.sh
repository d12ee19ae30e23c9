#!/bin/busybox sh
# First program of the guest: reaches the disks, lays them over each other with a writable layer in memory on top, and goes there.
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
echo 3 > /proc/sys/kernel/printk

# Nothing to go back to: the machine ends, and whoever started it sees that no verdict came.
give_up() {
  echo "bench: $1"
  $b poweroff -f
}

while read -r module; do $b insmod "/modules/$module" || give_up "$module does not load"; done < /modules/order

# With makercast.bench=try it was only asked whether a kernel boots at all.
case " $($b cat /proc/cmdline) " in *" makercast.bench=try "*)
  echo up > /dev/ttyS1
  $b poweroff -f ;;
esac

# In this order on the command line of QEMU.
lower=
for disk in vda:system vdb:kernel vdc:app; do
  device=/dev/${disk%%:*} folder=/lower/${disk##*:} tries=0
  until [ -b "$device" ] || [ $tries -eq 500 ]; do $b usleep 20000; tries=$((tries + 1)); done
  $b mkdir -p "$folder"
  $b mount -t ext4 -o ro "$device" "$folder" || give_up "$device cannot be mounted"
  lower=$folder${lower:+:$lower}
done
$b mkdir -p /memory
$b mount -t tmpfs -o size=60% memory /memory
$b mkdir -p /memory/upper /memory/work
$b mount -t overlay -o "lowerdir=$lower,upperdir=/memory/upper,workdir=/memory/work" root /newroot || give_up 'no overlay'
$b mount --move /dev /newroot/dev
$b umount /proc
$b umount /sys
exec $b switch_root /newroot /bin/sh /opt/makercast/test/vm/guest/init.sh
