//! Positive controls: the same program without the sandbox, as root in private namespaces that end with it.

use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use super::{isolated, sources};

/// Runs `argv` without the sandbox.
pub(crate) fn control(argv: &[&str]) -> Output {
    let (program, arguments) = argv.split_first().expect("a program");
    let mut command = isolated::alone(program);
    command.args(arguments).current_dir(isolated::scratch());
    finish(&mut command, &[])
}

/// Runs a C program of `tests/programs` without the sandbox.
pub(crate) fn compiled(name: &str, arguments: &[&str]) -> Output {
    let path = sources::path(name);
    let mut command = isolated::alone(path);
    command.args(arguments).current_dir(isolated::scratch());
    finish(&mut command, &[])
}

/// Runs a Python program without the sandbox and gives what it printed.
pub(crate) fn python(source: &str) -> String {
    let output = control(&["/usr/bin/python3", "-S", "-c", source]);
    assert!(output.status.success(), "{}", describe(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Starts the command, feeds it, waits for it.
pub(crate) fn finish(command: &mut Command, stdin: &[u8]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let mut pipe = child.stdin.take().expect("asked for");
    pipe.write_all(stdin).expect("it reads");
    drop(pipe);
    child.wait_with_output().expect("it ends")
}

/// Everything, for messages.
pub(crate) fn describe(output: &Output) -> String {
    format!(
        "{:?} (signal {:?})\nstdout: {}\nstderr: {}",
        output.status,
        output.status.signal(),
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}
