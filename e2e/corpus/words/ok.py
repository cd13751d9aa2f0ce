import collections
import sys
for word, count in collections.Counter(sys.stdin.read().split()).items():
    print(word, count)
