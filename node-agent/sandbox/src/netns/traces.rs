//! What a run can leave in a network namespace without network, told by the kernel's own figures of it.
//!
//! A job has no right over such a namespace, its devices are down, and no packet goes anywhere. What is left are sockets,
//! which the kernel may free some time after their owners (those that were in flight to each other), counters, which move
//! with each packet that is refused, and flow labels of IPv6, which linger for seconds and which a later run could find
//! taken. All of them are in these files. Sources: proc_pid_net(5), net/ipv4/proc.c, net/ipv6/ip6_flowlabel.c.

use std::os::fd::OwnedFd;

use rustix::io::Errno;

/// Files below /proc/PID, as the helper opens them; the first counts all sockets in its first line, and those of the whole
/// machine in the others.
pub(super) const FIGURES: [&str; 5] = [
    "net/sockstat",
    "net/snmp",
    "net/netstat",
    "net/snmp6",
    "net/ip6_flowlabel",
];

/// Whether a kernel may do without this file: one without IPv6.
pub(super) fn may_be_absent(name: &str) -> bool {
    matches!(name, "net/snmp6" | "net/ip6_flowlabel")
}

/// The figures of one namespace.
#[derive(Debug)]
pub(super) struct Traces {
    files: Vec<OwnedFd>,
    /// What they held before the first run.
    before: Vec<u8>,
}

impl Traces {
    /// Reads the figures before the first run; `None` without files.
    pub(super) fn beginning(files: Vec<OwnedFd>) -> Result<Option<Self>, Errno> {
        if files.is_empty() {
            return Ok(None);
        }
        let before = read(&files)?;
        Ok(Some(Self { files, before }))
    }

    /// Whether the figures are what they were. Where they cannot be read they are not.
    pub(super) fn are_none(&self) -> bool {
        read(&self.files).is_ok_and(|now| now == self.before)
    }
}

fn read(files: &[OwnedFd]) -> Result<Vec<u8>, Errno> {
    let mut all = Vec::with_capacity(16 << 10);
    for (index, file) in files.iter().enumerate() {
        let start = all.len();
        append(file, &mut all)?;
        if index == 0 {
            let own = all.iter().skip(start).position(|byte| *byte == b'\n');
            all.truncate(start + own.ok_or(Errno::NODATA)?);
        }
    }
    Ok(all)
}

/// All of a file of procfs, which is made anew by a read from its beginning.
fn append(file: &OwnedFd, all: &mut Vec<u8>) -> Result<(), Errno> {
    let start = all.len();
    let mut part = [0; 8 << 10];
    loop {
        let at = u64::try_from(all.len() - start).unwrap_or(u64::MAX);
        match rustix::io::pread(file, &mut part, at) {
            Ok(0) => return Ok(()),
            Ok(count) => all.extend(part.iter().take(count)),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
}
