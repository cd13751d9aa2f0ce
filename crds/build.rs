//! Compiles the wire schema, `proto/dispatch.proto`, to Rust.
//!
//! protox parses it in this process, so that no `protoc` has to be installed. Out: one file in `OUT_DIR`,
//! included by `src/wire.rs`.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-changed=proto/dispatch.proto");
    let descriptors = protox::compile(["proto/dispatch.proto"], ["proto"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
