//! What the machine must have, told by name where it is missing.

use std::path::Path;

/// Programs and files that tests cannot do without.
const NEEDED: [(&str, &str); 7] = [
    ("/usr/bin/unshare", "apt-get install util-linux"),
    ("/usr/bin/setpriv", "apt-get install util-linux"),
    ("/usr/bin/gcc", "apt-get install gcc libc6-dev"),
    ("/usr/bin/python3", "apt-get install python3-minimal"),
    ("/usr/sbin/runc", "apt-get install runc"),
    ("/sys/fs/cgroup/memory/tasks", "cgroup v1 controller memory"),
    ("/sys/fs/cgroup/pids/tasks", "cgroup v1 controller pids"),
];

/// What is missing, a line each.
pub(crate) fn missing() -> Vec<String> {
    let mut missing: Vec<String> = NEEDED
        .iter()
        .filter(|(path, _)| !Path::new(path).exists())
        .map(|(path, hint)| format!("{path} (hint: {hint})"))
        .collect();
    if !rustix::process::geteuid().is_root() {
        missing.push("root".into());
    }
    missing
}
