//! The images that tests run are those that the Dockerfiles describe, and equal input gives equal bytes.

use std::fs;

use anyhow::{Context, Result, ensure};
use evaljob_e2e::images::Image;
use evaljob_e2e::{Case, product_images, programs, trials};
use libtest_mimic::Trial;

pub(crate) fn tests() -> Vec<Trial> {
    trials![
        dockerfiles_and_imported_images_say_the_same,
        an_archive_is_written_twice_with_the_same_bytes,
    ]
}

async fn dockerfiles_and_imported_images_say_the_same(_: Case) -> Result<()> {
    let toolbox = programs::build_toolbox()?;
    for (path, image) in [
        ("operator/Dockerfile", product_images::operator()?),
        ("node-agent/Dockerfile", product_images::agent()?),
        (
            "node-agent/toolbox/Dockerfile",
            product_images::agent_toolbox(&toolbox)?,
        ),
    ] {
        let text = fs::read_to_string(programs::checkout(path))?;
        let said: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(said, expected(&image)?, "{path}");
    }
    Ok(())
}

/// The instructions that make an image.
fn expected(image: &Image) -> Result<Vec<String>> {
    let mut lines = vec!["FROM scratch".to_owned()];
    if image.base.is_some() {
        lines.push("COPY --from=toolbox rootfs /toolbox".to_owned());
    }
    for (file, path) in &image.programs {
        let name = file.file_name().context("no name")?.display();
        lines.push(format!("COPY --chmod=0755 {name} {path}"));
    }
    lines.push(format!("USER {}", image.user.context("no user")?));
    lines.push(format!(
        "ENTRYPOINT {}",
        serde_json::to_string(&image.entrypoint)?
    ));
    Ok(lines)
}

async fn an_archive_is_written_twice_with_the_same_bytes(_: Case) -> Result<()> {
    let image = product_images::agent()?;
    let (mut first, mut second) = (Vec::new(), Vec::new());
    image.write(&mut first)?;
    image.write(&mut second)?;
    ensure!(first == second, "two archives of one image differ");
    ensure!(!first.is_empty(), "an empty archive");
    Ok(())
}
