# Tries what matters at the address that it is given.
set -e
for path in health people; do
  PYTHON -c "import sys, urllib.request; urllib.request.urlopen(sys.argv[1], timeout=5)" "$1/$path" || { echo "$path is ill"; exit 1; }
done
echo "2 critical paths of $URL answer"
