#!/bin/busybox sh
# All that runs on the virtual board before the agent. Lines of JSON on the console tell how far it is.
/bin/busybox --install -s /bin
export PATH=/bin:/system/bin HOME=/ EIGEN_CACHE=/data/cache
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
for module in $(cat /modules/order); do insmod /modules/$module.ko; done
tries=0
until [ -b /dev/vdb ] || [ $tries = 100 ]; do sleep 0.1; tries=$((tries + 1)); done
mount -t ext4 -o ro,noload /dev/vda /system
mount -t ext4 /dev/vdb /data
ip link set lo up
ip link set eth0 up
ip addr add 10.0.2.15/24 dev eth0
ip route add default via 10.0.2.2
echo "{\"event\":\"booted\",\"damage\":$(dmesg | grep -c 'EXT4-fs error')}"

# As a service manager does.
while true; do
  echo '{"event":"agent-starts"}'
  node /data/agent.cjs --config /data/agent.json
  echo '{"event":"agent-ended"}'
  sleep 1
done &
node /data/application.mjs /tmp/agent.sock &

# The power switch. What is only in memory is not written.
while read -r word; do
  [ "$word" = cut ] && echo b > /proc/sysrq-trigger
done
sleep 1000000
