//! Settings of the node that stand behind the sandbox: each with what it should be, and why. Pure.
//!
//! None of them is needed for a job to run, so none fails the examination. Sources: the kernel's admin-guide/sysctl and
//! admin-guide/hw-vuln.

use super::{Line, Mark};

/// One setting.
struct Setting {
    path: &'static str,
    /// Whether what is there will do.
    fits: fn(&str) -> bool,
    /// What it should be, and what it is for.
    advice: &'static str,
}

const fn setting(path: &'static str, fits: fn(&str) -> bool, advice: &'static str) -> Setting {
    Setting { path, fits, advice }
}

#[rustfmt::skip]
const SETTINGS: &[Setting] = &[
    setting("/proc/sys/kernel/unprivileged_bpf_disabled", |text| text != "0", "1 or 2: nobody without privileges loads BPF programs"),
    setting("/proc/sys/kernel/io_uring_disabled", |text| text == "2", "2: no program of this node uses io_uring; runs have none in any case"),
    setting("/proc/sys/vm/unprivileged_userfaultfd", |text| text == "0", "0: page faults are not stopped from user space"),
    setting("/proc/sys/dev/tty/legacy_tiocsti", |text| text == "0", "0: nobody types into another's terminal"),
    setting("/proc/sys/kernel/kptr_restrict", |text| text != "0", "1 or 2: the kernel's addresses are not shown"),
    setting("/proc/sys/kernel/dmesg_restrict", |text| text == "1", "1: the kernel's log, which names programs of jobs, is for administrators"),
    setting("/proc/sys/user/max_user_namespaces", |text| text != "0", "more than 0: each run has a user namespace of its own"),
    setting("/proc/sys/fs/pipe-user-pages-soft", |text| text != "0", "more than 0: pipes of a user are bounded"),
    setting("/proc/swaps", |text| text.lines().count() < 2, "no swap: what a job writes to memory stays off the disk"),
    setting("/sys/kernel/mm/ksm/run", |text| text == "0", "0: equal pages of two jobs are not merged, which timing would tell"),
    setting("/sys/devices/system/cpu/smt/active", |text| text == "0", "0: two jobs never share a core; runs of different owners may tell each other's load otherwise"),
];

/// Where the kernel says what it does about each fault of the processor.
const FAULTS: &str = "/sys/devices/system/cpu/vulnerabilities";
const NAMES: [&str; 8] = [
    "gather_data_sampling",
    "l1tf",
    "mds",
    "meltdown",
    "retbleed",
    "spec_store_bypass",
    "spectre_v1",
    "spectre_v2",
];

/// A line for each setting that could be better; `read` gives the content of a file, `None` where this kernel has none.
pub(super) fn look(read: impl Fn(&str) -> Option<String>) -> Vec<Line> {
    let note = |text: String| Line {
        mark: Mark::Note,
        layer: "node".to_owned(),
        text,
    };
    let settings = SETTINGS.iter().filter_map(|setting| {
        let text = read(setting.path)?;
        let text = text.trim();
        let is = text.lines().next().unwrap_or_default();
        let bad = !(setting.fits)(text);
        bad.then(|| {
            note(format!(
                "{} is {is:?}; better {}",
                setting.path, setting.advice
            ))
        })
    });
    let faults = NAMES.iter().filter_map(|name| {
        let text = read(&format!("{FAULTS}/{name}"))?;
        let open = text.starts_with("Vulnerable");
        open.then(|| note(format!("the processor is open to {name}: {}", text.trim())))
    });
    settings.chain(faults).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(files: &[(&str, &str)]) -> Vec<String> {
        let read = |path: &str| {
            let file = files.iter().find(|(known, _)| *known == path);
            file.map(|(_, text)| format!("{text}\n"))
        };
        look(read).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn a_node_as_it_should_be_and_a_kernel_without_the_files_get_no_word() {
        assert_eq!(texts(&[]), [""; 0]);
        let good = [
            ("/proc/sys/kernel/unprivileged_bpf_disabled", "2"),
            ("/proc/sys/kernel/io_uring_disabled", "2"),
            ("/proc/swaps", "Filename Type Size Used Priority"),
            (
                "/sys/devices/system/cpu/vulnerabilities/mds",
                "Mitigation: Clear CPU buffers",
            ),
        ];
        assert_eq!(texts(&good), [""; 0]);
    }

    #[test]
    fn each_setting_that_could_be_better_is_named_with_its_value_and_its_use() {
        let rows = [
            ("/proc/sys/kernel/unprivileged_bpf_disabled", "0"),
            ("/proc/sys/kernel/io_uring_disabled", "0"),
            ("/proc/sys/vm/unprivileged_userfaultfd", "1"),
            ("/proc/sys/dev/tty/legacy_tiocsti", "1"),
            ("/proc/sys/kernel/kptr_restrict", "0"),
            ("/proc/sys/kernel/dmesg_restrict", "0"),
            ("/proc/sys/user/max_user_namespaces", "0"),
            ("/proc/sys/fs/pipe-user-pages-soft", "0"),
            ("/proc/swaps", "Filename\n/dev/vdb partition"),
            ("/sys/kernel/mm/ksm/run", "1"),
            ("/sys/devices/system/cpu/smt/active", "1"),
        ];
        assert_eq!(rows.len(), SETTINGS.len());
        for (path, value) in rows {
            let said = texts(&[(path, value)]);
            let first = value.lines().next().unwrap();
            assert!(
                said[0].starts_with(&format!("{path} is {first:?}; better ")),
                "{said:?}"
            );
        }
        let open = texts(&[(
            "/sys/devices/system/cpu/vulnerabilities/mds",
            "Vulnerable: no microcode",
        )]);
        assert_eq!(
            open,
            ["the processor is open to mds: Vulnerable: no microcode"]
        );
    }
}
