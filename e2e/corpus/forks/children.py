import subprocess
children = [subprocess.Popen(["sleep", "600"]) for _ in range(50)]
print("done")
