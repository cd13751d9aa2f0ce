import threading
import time
for _ in range(50):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
print("done")
