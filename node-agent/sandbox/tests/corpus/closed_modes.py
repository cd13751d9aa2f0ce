"""B13: directories that nobody may enter, files that nobody may open, for whoever cleans up by path."""
from attempt import *

for number in range(50):
    os.makedirs(f"d{number}/below")
    open(f"d{number}/below/file", "w").close()
    for path in (f"d{number}/below/file", f"d{number}/below", f"d{number}"):
        os.chmod(path, 0)
attempt("enter", lambda: os.listdir("d0"))
