#!/bin/sh
# Process 1 of the guest's system: what systemd would do and the tests need, then the tests, then the end.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
mount -t proc proc /proc
mount -t sysfs sys /sys
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=1777 shm /dev/shm
mount -t tmpfs -o mode=755 run /run
mount -t debugfs debugfs /sys/kernel/debug
modprobe configfs && mount -t configfs configfs /sys/kernel/config
hostname bench
ip link set lo up
echo up > /dev/ttyS1

/lib/systemd/systemd-udevd --daemon
udevadm trigger --action=add
udevadm settle --timeout=60

cd /opt/makercast || exit
case " $(cat /proc/cmdline) " in
  *" makercast.bench=shell "*) setsid --ctty --wait bash -i ;;
  *) node test/vm/guest/run.mjs ;;
esac
sync
echo o > /proc/sysrq-trigger
# Process 1 must not end before the power does.
sleep 60
