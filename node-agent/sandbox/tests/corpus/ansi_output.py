"""A1, A2: bytes that a terminal, YAML or JSON would take for more than text. Here: that they arrive as they are; what
becomes of them in a status is decided, and tested, in the agent (visible.rs). Source: ECMA-48, CVE-2021-25743."""
import sys

sys.stdout.buffer.write(b"\x1b[2J\x1b]0;t\x07\x1b]52;c;eA==\x07\x9b31m\rover\xe2\x80\xae\x00\xff\xfe\n---\nkind: Secret\n\"},{\"\n" + b"x" * (1 << 20) + b"\n")
