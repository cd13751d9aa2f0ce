"""R5: files, links and directories without content. Source: tmpfs(5), nr_inodes.

    inode_bomb MOST
"""
from attempt import *

most = int(sys.argv[1])
for name, make in (("file", lambda path: open(path, "w").close()), ("link", lambda path: os.symlink("x", path)), ("directory", os.mkdir)):
    try:
        for number in range(most):
            make(f"{name}{number}")
    except OSError as error:
        tell(name, errno.errorcode[error.errno])
    else:
        tell(name, "ok")
