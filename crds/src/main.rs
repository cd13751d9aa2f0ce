//! Prints the CustomResourceDefinition as YAML: `cargo run -p evaljob-crds > crds/evaljobs.yaml`.

use std::io::Write;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    std::io::stdout().write_all(evaljob_crds::crd_yaml()?.as_bytes())?;
    Ok(())
}
