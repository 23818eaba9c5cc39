# Puts the service of this folder in place of the one before, after its migration.
set -e
root=$(cd ../.. && pwd)
[ ! -e $root/service.pid ] || kill "$(cat $root/service.pid)" 2>/dev/null || true
[ ! -e migrate.py ] || PYTHON migrate.py $root/app.db
setsid PYTHON service.py PORT > $root/service.log 2>&1 < /dev/null &
echo $! > $root/service.pid
