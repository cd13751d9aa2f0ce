"""Compares the statuses that `evaljob-agent run` printed with what a suite under e2e/ expects; pure.

In: a status, expectations by their paths into it. Out: what does not hold, in words.
"""

import re

PROGRAM_VERDICTS = {
    "Accepted", "Completed", "WrongAnswer", "CompileError", "RuntimeError", "TimeLimitExceeded", "IdleLimitExceeded",
    "MemoryLimitExceeded", "OutputLimitExceeded", "DiskLimitExceeded", "ProcessLimitExceeded", "SandboxViolation",
}
OTHER_VERDICTS = {"InvalidSpec", "JudgeError", "InfrastructureError", "DeadlineExceeded", "Cancelled"}
SUFFIXES = {"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "k": 10**3, "M": 10**6, "G": 10**9, "": 1}
MISSING = object()


def number(value):
    """A number or a quantity as a number."""
    if isinstance(value, (int, float)):
        return value
    match = re.fullmatch(r"(\d+)(Ki|Mi|Gi|k|M|G|)", value)
    return int(match[1]) * SUFFIXES[match[2]]


def look_up(status, path):
    """The value at a path; list items by type, name, path or stream, or by number."""
    value = status
    keys = path.split(".")
    while keys:
        if isinstance(value, list):
            # An item's name may hold a dot: the longest name that fits is taken.
            for length in range(len(keys), 0, -1):
                key = ".".join(keys[:length])
                items = [item for item in value
                         if key in (item.get("type"), item.get("name"), item.get("path"), item.get("stream"))]
                if items or (length == 1 and key.isdigit() and int(key) < len(value)):
                    value = items[0] if items else value[int(key)]
                    keys = keys[length:]
                    break
            else:
                return MISSING
        elif isinstance(value, dict) and keys[0] in value:
            value = value[keys.pop(0)]
        else:
            return MISSING
    return value


def differences(status, expectations):
    """What of the expectations does not hold, in words."""
    for key, want in expectations.items():
        path, _, operator = key.partition(" ")
        got = look_up(status, path)
        if operator == "absent":
            holds = got is MISSING
        elif got is MISSING:
            holds = False
        elif operator == "has":
            holds = all(part in got for part in ([want] if isinstance(want, str) else want))
        elif operator == "starts":
            holds = got.startswith(want)
        elif operator == "matches":
            holds = re.search(want, got) is not None
        elif isinstance(want, list):
            holds = number(want[0]) <= number(got) <= number(want[1])
        else:
            holds = got == want
        if not holds:
            shown = "nothing" if got is MISSING else repr(got)[:600]
            yield f"{key}: expected {want!r}, got {shown}"


def broken_rules(status):
    """What must hold in every status and does not."""
    verdict = status.get("verdict")
    if verdict not in PROGRAM_VERDICTS | OTHER_VERDICTS:
        yield f"no such verdict: {verdict!r}"
    succeeded = "True" if verdict in ("Accepted", "Completed") else "False"
    if verdict in OTHER_VERDICTS:
        succeeded = "Unknown"
    yield from differences(status, {
        "conditions.Finished.status": "True", "conditions.Finished.reason": verdict,
        "conditions.Succeeded.status": succeeded, "conditions.Succeeded.reason matches": "^[A-Z][A-Za-z]+$",
    })
    message = status.get("message", "")
    if "\n" in message or len(message.encode()) > 1024 or (verdict not in ("Accepted", "Completed") and not message):
        yield f"message is no line of 1 to 1024 bytes: {message!r}"
    if verdict in PROGRAM_VERDICTS:
        yield from differences(status, {
            "conditions.Sandboxed.reason": "FullyEnforced", "enforcement.verifiedBy": "parent",
            "enforcement.noNewPrivs": True, "enforcement.capabilities": "none", "attempt": 1,
        })
        accepted = status.get("summary", {}).get("pattern", "").count("A")
        if accepted != status.get("summary", {}).get("passed", accepted):
            yield "summary.passed does not equal the accepted tests of the pattern"
    if "observedGeneration" in str(status):
        yield "observedGeneration is there"


def expected_exit(statuses):
    """The exit code that these statuses ask for."""
    verdicts = {status.get("verdict") for _, status in statuses}
    return 3 if verdicts & OTHER_VERDICTS else 1 if verdicts - {"Accepted", "Completed"} else 0
