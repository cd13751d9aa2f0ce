//! The C programs of `tests/programs` and `tests/corpus`, compiled statically, each once.
//! Environment: EVALJOB_TEST_CC, a compiler for the machine they are to run on (/usr/bin/gcc); EVALJOB_TEST_SOURCES, where these
//! directories are, for a binary that was built elsewhere.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};

use super::isolated;

static COMPILED: Mutex<BTreeMap<String, Arc<Vec<u8>>>> = Mutex::new(BTreeMap::new());

/// Path of the executable made of `NAME.c`.
pub(crate) fn path(name: &str) -> PathBuf {
    binary(name);
    isolated::scratch().join(name)
}

/// The executable itself.
pub(crate) fn binary(name: &str) -> Arc<Vec<u8>> {
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    let binary = compiled
        .entry(name.to_owned())
        .or_insert_with(|| Arc::new(compile(name)));
    Arc::clone(binary)
}

fn compile(name: &str) -> Vec<u8> {
    let target = isolated::scratch().join(name);
    // Another role may have made it already; whoever comes second replaces it by the same.
    if let Ok(binary) = std::fs::read(&target) {
        return binary;
    }
    let tests = std::env::var_os("EVALJOB_TEST_SOURCES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"),
        PathBuf::from,
    );
    let source = ["programs", "corpus"]
        .map(|directory| tests.join(directory).join(name).with_extension("c"))
        .into_iter()
        .find(|source| source.exists())
        .unwrap_or_else(|| panic!("there is no {name}.c"));
    let fresh = isolated::scratch().join(format!(
        "{name}-{}",
        rustix::process::getpid().as_raw_nonzero()
    ));
    let compiler = std::env::var_os("EVALJOB_TEST_CC").unwrap_or_else(|| "/usr/bin/gcc".into());
    let output = Command::new(compiler)
        .args(["-static", "-O1", "-s", "-Wall", "-Werror", "-pthread", "-o"])
        .args([&fresh, &source])
        .output()
        .expect("gcc starts");
    assert!(
        output.status.success(),
        "{}: {}",
        source.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let binary = std::fs::read(&fresh).expect("gcc made it");
    std::fs::rename(&fresh, &target).expect("one directory");
    binary
}
