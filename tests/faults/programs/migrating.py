"""A process that opens a store of an older version, and says so just before.

python migrating.py PATH
"""

import os
import sys

from buffer.store import Store

if __name__ == "__main__":
    os.write(1, b"now\n")
    Store.open(sys.argv[1], boot="boot-2", keep=1e9, max_size=1 << 22, reserve=0).close()
    os.write(1, b"done\n")
