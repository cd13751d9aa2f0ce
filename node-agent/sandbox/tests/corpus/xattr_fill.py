"""F9: extended attributes, which no limit of a run counts. Source: xattr(7), acl(5)."""
from attempt import *

open("file", "w").close()
attempt("user attribute", lambda: os.setxattr("file", "user.x", b"y" * 100))
attempt("of a descriptor", lambda: os.setxattr(os.open("file", os.O_RDWR), "user.y", b"y"))
attempt("access list", lambda: os.setxattr("file", "system.posix_acl_access", struct.pack("<I" + "HHI" * 3, 2, 1, 6, 0xffffffff, 4, 0, 0xffffffff, 32, 0, 0xffffffff)))
attempt("remove", lambda: os.removexattr("file", "user.none"))
attempt("list", lambda: os.listxattr("file"))
