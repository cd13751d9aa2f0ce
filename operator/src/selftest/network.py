# Tries to reach anything: the API server, the metadata service of clouds, a resolver, the machine itself.
import socket

escapes = []
for host in ["10.96.0.1", "169.254.169.254", "1.1.1.1", "8.8.8.8", "127.0.0.1"]:
    for port in [53, 80, 443, 6443, 7443, 8080, 10250]:
        try:
            tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            tcp.settimeout(0.2)
            tcp.connect((host, port))
            escapes.append(f"connected to {host}:{port}")
        except OSError:
            pass
    try:
        udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        udp.sendto(b"x", (host, 53))
        if not host.startswith("127."):
            escapes.append(f"sent to {host}")
    except OSError:
        pass
for family, kind, protocol in [(2, socket.SOCK_RAW, 1), (17, socket.SOCK_RAW, 0x300), (40, socket.SOCK_STREAM, 0)]:
    try:
        socket.socket(family, kind, protocol)
        escapes.append(f"opened a socket of family {family}")
    except OSError:
        pass
try:
    names = [name for _, name in socket.if_nameindex()]
except OSError:
    names = []
if set(names) - {"lo"}:
    escapes.append(f"sees {names}")
print("; ".join(escapes) or "contained")
